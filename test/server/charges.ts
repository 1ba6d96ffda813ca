import { createServer } from "node:http";
import { Pool } from "pg";
import { postgresIdempotencyStore } from "undaunted/idempotency";
import { idempotentMiddleware, transactionOf } from "undaunted/server";

// A service of its own: it books a charge for each POST, and answers with the charge's number. Told to, it is killed between the two.

const { PORT, DATABASE, FORM } = process.env;
const pool = new Pool({ ...JSON.parse(DATABASE!), max: 16 });
const keys = new Pool({ ...JSON.parse(DATABASE!), max: 8 });
for (const each of [pool, keys]) each.on("error", () => {});

const once = idempotentMiddleware({
  ...{ name: "charges", scope: "public", required: true, lease: 1_000, onStoreError: () => {}, onError: () => {} },
  ...(FORM === "transaction"
    ? { store: postgresIdempotencyStore(pool), transaction: pool }
    : { store: postgresIdempotencyStore(keys) }),
});

const server = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  Object.assign(req, { body });
  once(req, res, async () => {
    const client = transactionOf(req) ?? pool;
    const { rows } = await client.query("insert into charges (wish) values ($1) returning id", [body]);
    // After the effect, and before its record.
    if (isDoomed) process.kill(process.pid, "SIGKILL");
    res.writeHead(201, { "content-type": "application/json" });
    res.end(JSON.stringify({ charge: rows[0].id, of: body }));
  });
});

let isDoomed = false;
process.on("message", () => {
  isDoomed = true;
});
server.listen(Number(PORT), "127.0.0.1", () => process.send!("listening"));
process.on("disconnect", () => process.exit());
