import { type RetryState, stopNever, waitFixed, waitNone } from "undaunted";
import { type HttpStatusError, retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { bodies, type Client, clients, serving } from "./real-clients.js";
import {
  hang,
  type Nginx,
  type NginxConfig,
  nginx,
  nginxAvailable,
  respond,
  socketsClosed,
  whyNoNginx,
} from "./servers/index.js";

async function gateway(config: NginxConfig) {
  const server = await nginx(config);
  onTestFinished(async () => {
    await server.stop();
    await socketsClosed(server.port);
  });
  return server;
}

/** A client that does not give up, the statuses for which it tried again, and what happens before it does. */
function retrying({ fetch }: Client, meanwhile: () => unknown = () => {}) {
  const statuses: number[] = [];
  const onRetry = async ({ outcome }: RetryState) => {
    statuses.push((outcome as { error: HttpStatusError }).error.status);
    if (statuses.length === 1) await meanwhile();
  };
  return { api: retryFetch({ fetch, wait: waitFixed(50), stop: stopNever, budget: false, onRetry }), statuses };
}

/** How often nginx has complained of something. */
const complaints = (server: Nginx, of: string) => server.log().split(of).length - 1;

const missing = nginxAvailable() ? "" : ` (${whyNoNginx})`;

describe.skipIf(!nginxAvailable())(`behind nginx${missing}`, () => {
  describe.each(clients)("%s", (_, client) => {
    it.each([429, 503])("gets every call through a limit that refuses with %i", async (status) => {
      const upstream = await serving([respond(200, { body: "hello" })]);
      const server = await gateway({
        http: "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s;",
        server: `location / { limit_req zone=one; limit_req_status ${status}; proxy_pass ${upstream.origin}; }`,
      });
      const { api, statuses } = retrying(client);

      const responses = await Promise.all([api(server.url("/1")), api(server.url("/2"))]);

      expect(await Promise.all(responses.map((response) => response.text()))).toEqual(["hello", "hello"]);
      expect(new Set(upstream.requests.map(({ path }) => path))).toEqual(new Set(["/1", "/2"]));
      expect(upstream.requests).toHaveLength(2);
      expect(new Set(statuses)).toEqual(new Set([status]));
    });

    it("waits for as long as a limit asks", async () => {
      const upstream = await serving([respond(200)]);
      const server = await gateway({
        http: "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s;",
        server: `
          add_header Retry-After 1 always;
          location / { limit_req zone=one; limit_req_status 429; proxy_pass ${upstream.origin}; }
        `,
      });
      const delays: number[] = [];
      const onRetry = ({ delay }: RetryState) => delays.push(delay);
      const api = retryFetch({ fetch: client.fetch, wait: waitNone, random: () => 0.5, onRetry });

      const responses = await Promise.all([api(server.url("/1")), api(server.url("/2"))]);

      expect(responses.map(({ status }) => status)).toEqual([200, 200]);
      expect(delays).toEqual([1_250]);
    });

    it("gets through to an upstream that was dead and is started again", async () => {
      const upstream = await serving([respond(200, { body: "hello" })]);
      await upstream.kill();
      const server = await gateway({ server: `location / { proxy_pass ${upstream.origin}; }` });
      const { api, statuses } = retrying(client, () => upstream.restart());

      const response = await api(server.url("/"), { method: "PUT", body: "text" });

      expect(await response.text()).toBe("hello");
      expect(bodies(upstream)).toEqual(["text"]);
      expect(statuses).toEqual([502]);
    });

    it("gets through to an upstream that is killed under the request and started again", async () => {
      const upstream = await serving([hang(), respond(200, { body: "hello" })]);
      const server = await gateway({ server: `location / { proxy_pass ${upstream.origin}; }` });
      const { api, statuses } = retrying(client, () => upstream.restart());
      const call = api(server.url("/"), { method: "PUT", body: "text" });
      await upstream.arrival(1);

      await upstream.kill();
      const response = await call;

      expect(await response.text()).toBe("hello");
      expect(bodies(upstream)).toEqual(["text", "text"]);
      expect(statuses).toEqual([502]);
    });

    it("gets through to an upstream that was silent", async () => {
      const upstream = await serving([hang(), respond(200, { body: "hello" })]);
      const server = await gateway({
        server: `location / { proxy_pass ${upstream.origin}; proxy_read_timeout 500ms; }`,
      });
      const { api, statuses } = retrying(client);

      const response = await api(server.url("/"));

      expect(await response.text()).toBe("hello");
      expect(new Set(statuses)).toEqual(new Set([504]));
    });

    it("sends a POST once to a dead upstream: who answered may have passed it on", async () => {
      const upstream = await serving([respond(201)]);
      await upstream.kill();
      const server = await gateway({ server: `location / { proxy_pass ${upstream.origin}; }` });
      const { api, statuses } = retrying(client);

      const { status } = await api(server.url("/"), { method: "POST", body: "order" });

      expect(status).toBe(502);
      expect(complaints(server, "connect() failed")).toBe(1);
      expect(statuses).toEqual([]);
    });

    it("sends once what is too large", async () => {
      const server = await gateway({ server: "client_max_body_size 1k; location / { return 204; }" });
      const { api, statuses } = retrying(client);

      const response = await api(server.url("/"), { method: "PUT", body: "x".repeat(2_000) });

      expect(response.status).toBe(413);
      expect(await response.text()).toContain("Request Entity Too Large");
      expect(complaints(server, "client intended to send too large body")).toBe(1);
      expect(statuses).toEqual([]);
    });
  });
});
