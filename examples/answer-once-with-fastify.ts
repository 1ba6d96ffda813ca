// How does my Fastify server answer a client that retries, without doing its work twice?
import fastify from "fastify";
import { memoryIdempotencyStore } from "undaunted/idempotency";
import { idempotentMiddleware } from "undaunted/server";

let orders = 0;
const app = fastify();

// After the body is parsed, and before the handler.
const once = idempotentMiddleware({ name: "orders", store: memoryIdempotencyStore(), scope: "public" });
app.post("/orders", { preHandler: once }, async () => ({ order: ++orders }));

const address = await app.listen({ host: "127.0.0.1", port: 0 });
const post = () => fetch(`${address}/orders`, { method: "POST", headers: { "idempotency-key": '"k1"' } });

console.log(await (await post()).text());
console.log(await (await post()).text());
await app.close();

// prints:
// {"order":1}
// {"order":1}
