import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { waitFixed } from "undaunted";
import { retryFetch } from "undaunted/http";
import { virtualClock } from "undaunted/testing";
import { Agent, fetch } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { bodies, clients, driven, gaps, serving } from "./real-clients.js";
import { certificate, drive, expiredCertificate, respond } from "./servers/index.js";

const post = { method: "POST", body: "order" };

describe.each(clients)("%s", (_, client) => {
  it.each(["GET", "POST"])("connects once for a %s where nobody vouches for the certificate", async (method) => {
    const { delays, policy } = driven(client);
    const server = await serving([respond(200)], { protocol: "https" });

    const call = retryFetch(policy)(server.url("/"), { method });

    await expect(call).rejects.toMatchObject({ cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } });
    expect(server.connections.opened).toBe(1);
    expect(server.requests).toEqual([]);
    expect(delays).toEqual([]);
  });

  it("connects again for a POST whose connection ends in the handshake: nothing was sent", async () => {
    const { delays, policy } = driven(client);
    let connections = 0;
    const server = createServer((tcp) => {
      connections++;
      tcp.resume().end();
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;

    const call = retryFetch({ ...policy, wait: waitFixed(1_000) })(`https://127.0.0.1:${port}/`, post);

    await expect(call).rejects.toThrow("fetch failed");
    expect(connections).toBe(4);
    expect(delays).toEqual([1_000, 1_000, 1_000]);
  });
});

/** undici's fetch, as one that trusts the certificate. */
function trusting(ca: string) {
  const clock = virtualClock();
  const { hooks, delays } = drive(clock);
  const dispatcher = new Agent({ connect: { ca } });
  const api = retryFetch({
    fetch: (url: string, init?: Parameters<typeof fetch>[1]) => fetch(url, { ...init, dispatcher }),
    clock,
    wait: waitFixed(1_000),
    ...hooks,
  });
  return { api, clock, delays };
}

describe("undici's fetch, where it trusts the certificate,", () => {
  it("is called again after a 503", async () => {
    const { api, clock } = trusting(certificate);
    const server = await serving([respond(503), respond(200, { body: "sealed" })], {
      protocol: "https",
      now: clock.now,
    });

    const response = await api(server.url("/"), { method: "PUT", body: "text" });

    expect(await response.text()).toBe("sealed");
    expect(bodies(server)).toEqual(["text", "text"]);
    expect(gaps(server)).toEqual([1_000]);
  });

  it("connects once where that has expired", async () => {
    const { api, delays } = trusting(expiredCertificate);
    const server = await serving([respond(200)], { protocol: "https", cert: expiredCertificate });

    await expect(api(server.url("/"))).rejects.toMatchObject({ cause: { code: "CERT_HAS_EXPIRED" } });

    expect(server.connections.opened).toBe(1);
    expect(delays).toEqual([]);
  });
});
