// How does my Express server answer a client that retries, without doing its work twice?
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { memoryIdempotencyStore } from "undaunted/idempotency";
import { idempotentMiddleware } from "undaunted/server";

let charged = 0;
const app = express();
app.use(express.json());
const answerOnce = idempotentMiddleware({
  name: "charges",
  store: memoryIdempotencyStore(), // in a database where there is more than one process
  scope: (req: express.Request) => req.get("x-account") ?? "nobody", // what your authentication found out
});
app.post("/charges", answerOnce, (req, res) => {
  charged += req.body.amount;
  res.status(201).json({ charged });
});

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const post = (amount: number) =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/charges`, {
    method: "POST",
    body: JSON.stringify({ amount }),
    headers: { "content-type": "application/json", "idempotency-key": '"order 42"', "x-account": "a1" },
  });

console.log(await (await post(100)).text());
console.log(await (await post(100)).text());
console.log((await post(200)).status, `and ${charged} was charged`);
server.close();

// prints:
// {"charged":100}
// {"charged":100}
// 422 and 100 was charged
