import axios from "axios";
import { stopNever, waitFixed } from "undaunted";
import { retryAxios } from "undaunted/axios";
import { describe, expect, it, onTestFinished } from "vitest";
import { nginx, nginxAvailable, respond, whyNoNginx } from "../http/servers/index.js";
import { serving } from "./api.js";

const missing = nginxAvailable() ? "" : ` (${whyNoNginx})`;

describe.skipIf(!nginxAvailable())(`behind nginx${missing}`, () => {
  it.each(["http", "fetch"])("the %s adapter gets through a limit, and waits as it asks", async (adapter) => {
    const upstream = await serving([respond(200, { body: "hello" })]);
    const server = await nginx({
      http: "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s;",
      server: `
        add_header Retry-After 1 always;
        location / { limit_req zone=one; limit_req_status 429; proxy_pass ${upstream.origin}; }
      `,
    });
    onTestFinished(() => server.stop());
    const api = axios.create({ adapter });
    const statuses: unknown[] = [];
    retryAxios(api, {
      stop: stopNever,
      wait: waitFixed(0),
      random: () => 0.5,
      onRetry: ({ outcome }) => statuses.push(outcome.ok || (outcome.error as { status: number }).status),
    });

    const answers = await Promise.all([api.get(server.url("/1")), api.get(server.url("/2"))]);

    expect(answers.map(({ data }) => data)).toEqual(["hello", "hello"]);
    expect(statuses).toContain(429);
    expect(upstream.requests).toHaveLength(2);
  });

  it("a request to an upstream that is dead is made again once it is there", async () => {
    const upstream = await serving([respond(200, { body: "hello" })]);
    const server = await nginx({ server: `location / { proxy_pass ${upstream.origin}; }` });
    onTestFinished(() => server.stop());
    await upstream.kill();
    const api = axios.create();
    const { stats } = retryAxios(api, {
      wait: waitFixed(50),
      stop: stopNever,
      budget: false,
      onRetry: async ({ attempt }) => attempt === 1 && upstream.restart(),
    });

    const { data } = await api.get(server.url("/"));

    expect(data).toBe("hello");
    expect(stats.retries).toBeGreaterThan(0);
  });
});
