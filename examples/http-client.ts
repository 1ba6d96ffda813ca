// How do I call an HTTP service so that hiccups go unnoticed, and I am a good citizen when it is in trouble?
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bulkheads, circuitBreakers, retryLogger } from "undaunted";
import { originOf, retryFetch } from "undaunted/http";

const answers = [503, 429, 201];
const server = createServer((request, response) => {
  const status = answers.shift() ?? 500;
  console.log(`${request.method} ${request.headers["idempotency-key"]} meets ${status}`);
  response.writeHead(status, { "retry-after-ms": "20" }).end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;

const api = retryFetch({
  idempotencyKey: { value: () => "order-42" },
  attemptTimeout: 2_000,
  totalTimeout: 10_000,
  breaker: circuitBreakers({ key: originOf }),
  bulkhead: bulkheads({ key: originOf, limit: 20, queue: 100 }),
  ...retryLogger({ warn: () => console.log("it failed"), error: console.error }),
});

const response = await api(url, { method: "POST", body: "a cup of tea" });

console.log(response.status);
server.close();

// prints:
// POST "order-42" meets 503
// it failed
// POST "order-42" meets 429
// it failed
// POST "order-42" meets 201
// 201
