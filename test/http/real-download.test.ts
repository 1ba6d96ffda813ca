import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { Agent, fetch, RetryAgent } from "undici";
import { expect, it, onTestFinished } from "vitest";

it("a download that breaks off goes on where it did, by undici's RetryAgent under retryFetch", async () => {
  const whole = Buffer.alloc(100_000, "abcdefghij");
  const seen: unknown[] = [];
  const server = http.createServer((request, response) => {
    const { range } = request.headers;
    seen.push(range);
    if (seen.length === 1) return response.writeHead(503).end();
    const from = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const headers = { etag: '"1"', "content-length": whole.length - from, "accept-ranges": "bytes" };
    if (from > 0) {
      const part = `bytes ${from}-${whole.length - 1}/${whole.length}`;
      return response.writeHead(206, { ...headers, "content-range": part }).end(whole.subarray(from));
    }
    response.writeHead(200, headers).write(whole.subarray(0, 50_000), () => response.destroy());
    return undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispatcher = new RetryAgent(new Agent(), { statusCodes: [], maxRetries: 5, minTimeout: 1 });
  onTestFinished(async () => {
    await dispatcher.close();
    server.closeAllConnections();
    server.close();
  });

  const download = retryFetch({
    fetch: (url: string, init?: RequestInit) => fetch(url, { ...(init as object), dispatcher }),
    wait: waitNone,
    attemptTimeout: 10_000,
  });
  const response = await download(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const body = Buffer.from(await response.arrayBuffer());

  expect(body.equals(whole)).toBe(true);
  expect(seen).toHaveLength(3);
  expect(seen.slice(0, 2)).toEqual([undefined, undefined]);
  expect(seen[2]).toMatch(/^bytes=\d+-/);
});
