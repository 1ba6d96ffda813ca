import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type NginxConfig, nginx, nginxAvailable, respond, scriptedServer, whyNoNginx } from "./index.js";

async function serving(config: NginxConfig) {
  const server = await nginx(config);
  onTestFinished(() => server.stop());
  return server;
}

async function upstreamOf(...script: Parameters<typeof respond>[0][]) {
  const upstream = await scriptedServer(script.map((status) => respond(status)));
  onTestFinished(() => upstream.close());
  return upstream;
}

it("the reason why nginx is missing says how to install it", () => {
  expect(whyNoNginx).toContain("apt-get install -y nginx-light");
});

const missing = nginxAvailable() ? "" : ` (${whyNoNginx})`;

describe.skipIf(!nginxAvailable())(`nginx${missing}`, () => {
  it("serves by the configuration given", async () => {
    const server = await serving({ server: 'location / { return 200 "from nginx"; }' });

    const response = await fetch(server.url("/"));

    expect(response.headers.get("server")).toMatch(/^nginx/);
    expect(await response.text()).toBe("from nginx");
  });

  it("limits requests, and what it refuses does not reach the upstream", async () => {
    const upstream = await upstreamOf(200);
    const server = await serving({
      http: "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;",
      server: `location / { limit_req zone=one; limit_req_status 429; proxy_pass ${upstream.origin}; }`,
    });

    const statuses = [(await fetch(server.url("/"))).status, (await fetch(server.url("/"))).status];

    expect(statuses).toEqual([200, 429]);
    expect(upstream.requests).toHaveLength(1);
    expect(server.log()).toContain("limiting requests");
  });

  it("answers 502 while its upstream is dead, and as the upstream does once that is back", async () => {
    const upstream = await upstreamOf(200);
    const server = await serving({ server: `location / { proxy_pass ${upstream.origin}; }` });

    await upstream.kill();
    const { status } = await fetch(server.url("/"));
    await upstream.restart();

    expect(status).toBe(502);
    expect((await fetch(server.url("/"))).status).toBe(200);
  });

  it("buffers a body that does not fit into memory in its own folder", async () => {
    const upstream = await upstreamOf(200);
    const server = await serving({
      server: `location / { client_body_buffer_size 1k; proxy_pass ${upstream.origin}; }`,
    });

    await fetch(server.url("/"), { method: "PUT", body: "x".repeat(100_000) });

    expect(upstream.requests[0]!.body).toHaveLength(100_000);
    expect(server.log()).toMatch(/buffered to a temporary file \S*undaunted-nginx-/);
  });

  it("listens no more once it is stopped", async () => {
    const server = await nginx({ server: "return 204;" });

    await server.stop();

    await expect(fetch(server.url("/"))).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  it("leaves no folder behind", async () => {
    const server = await nginx({ server: "return 204;" });
    const { folder } = server;
    expect(existsSync(folder)).toBe(true);

    await server.stop();

    expect(existsSync(folder)).toBe(false);
  });

  it("says what is wrong with a configuration, and leaves no folder behind", async () => {
    const error = await nginx({ server: "no_such_directive;" }).catch((thrown) => thrown);

    const [, file] = /unknown directive "no_such_directive" in (.+):\d+$/.exec(error.message)!;
    expect(file).toContain("undaunted-nginx-");
    expect(existsSync(dirname(file!))).toBe(false);
  });
});
