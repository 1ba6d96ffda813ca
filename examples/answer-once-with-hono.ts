// How does a handler in the manner of fetch (Hono, Bun, Deno, workers, Next) answer a client that retries?
import { type Context, Hono } from "hono";
import { memoryIdempotencyStore } from "undaunted/idempotency";
import { idempotentHandler } from "undaunted/server";

let orders = 0;

const order = idempotentHandler(
  async (_request: Request, c: Context) => c.json({ order: ++orders, of: await c.req.json() }, 201),
  { name: "orders", store: memoryIdempotencyStore(), scope: (request) => request.headers.get("x-account") ?? "nobody" },
);

const app = new Hono();
app.post("/orders", (c) => order(c.req.raw, c));

const post = (account: string) =>
  app.request("/orders", {
    method: "POST",
    body: '"tea"',
    headers: { "idempotency-key": '"k1"', "x-account": account },
  });

console.log(await (await post("a1")).text());
console.log(await (await post("a1")).text());
console.log(await (await post("a2")).text()); // another account's key is another key

// prints:
// {"order":1,"of":"tea"}
// {"order":1,"of":"tea"}
// {"order":2,"of":"tea"}
