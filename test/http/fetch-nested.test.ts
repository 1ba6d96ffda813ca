import { stopAfterAttempt, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { expect, it } from "vitest";

const statuses = (...all: number[]) => flaky(all.map((status) => new Response(null, { status })));

it("a client around a client does not try again what that gave up on", async () => {
  const server = statuses(...Array.from({ length: 20 }, () => 503));
  const inner = retryFetch({ fetch: server, stop: stopAfterAttempt(3), wait: waitNone });

  const { status } = await retryFetch({ fetch: inner, wait: waitNone })("https://example.com/");

  expect(status).toBe(503);
  expect(server.calls).toHaveLength(3);
});

it("a client around a client tries again what that would not", async () => {
  const server = statuses(418, 200);
  const inner = retryFetch({ fetch: server, wait: waitNone });

  const { status } = await retryFetch({ fetch: inner, statuses: [418], wait: waitNone })("https://example.com/");

  expect(status).toBe(200);
});

it("a client around a client tries again what that could not send twice", async () => {
  const server = statuses(503, 200);
  const inner = retryFetch({ fetch: (url: string) => server(url), wait: waitNone });
  const outer = retryFetch({
    fetch: (url: string) => inner(url, { method: "PUT", body: new Blob(["x"]).stream() }),
    wait: waitNone,
  });

  const { status } = await outer("https://example.com/");

  expect(status).toBe(200);
});

it("retryExhausted lets a client try again what one inside it gave up on", async () => {
  const server = statuses(503, 503, 200);
  const inner = retryFetch({ fetch: server, stop: stopAfterAttempt(2), wait: waitNone });

  const { status } = await retryFetch({ fetch: inner, retryExhausted: true, wait: waitNone })("https://example.com/");

  expect(status).toBe(200);
});

it("a stand-in for fetch that takes no parameters is called as fetch is", async () => {
  const api = retryFetch({ fetch: async () => new Response("ok") });

  const response = await api("https://example.com/", { method: "PUT", body: () => "x" });

  expect(await response.text()).toBe("ok");
});

it("a call whose options cannot be had counts as a failure", async () => {
  const api = retryFetch(() => {
    throw new Error("no settings");
  });

  await expect(api("https://example.com/")).rejects.toThrow("no settings");

  expect(api.stats).toMatchObject({ calls: 1, failures: 1, attempts: 0 });
});
