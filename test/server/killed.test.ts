import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Pool } from "pg";
import { retry, stopNever, waitRandom } from "undaunted";
import { retryFetch } from "undaunted/http";
import { postgresIdempotencyStore } from "undaunted/idempotency";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named } from "../idempotency/kinds-of-store.js";
import {
  freePort,
  type Postgres,
  proxy,
  startPostgres,
  type TcpProxy,
  whatIsMissing,
} from "../transient/servers/index.js";

// The whole of it, over real sockets: clients that retry, a proxy that cuts answers, and a server that is killed in mid-work.

const WISHES = 1_000;
const KILLS = 2;
const missing = whatIsMissing("postgres");

let database: Postgres;
let pool: Pool;
let folder: string;

beforeAll(async () => {
  if (missing) return;
  database = await startPostgres({ max_connections: 100 });
  pool = new Pool({ ...database.connection, max: 4 });
  pool.on("error", () => {});
  await postgresIdempotencyStore(pool).setUp();
  folder = mkdtempSync(join(tmpdir(), "undaunted-charges-"));
  await build({
    entryPoints: [fileURLToPath(new URL("charges.ts", import.meta.url))],
    outfile: join(folder, "charges.cjs"),
    tsconfig: fileURLToPath(new URL("../tsconfig.json", import.meta.url)),
    ...{ bundle: true, platform: "node", format: "cjs", target: "node20", external: ["pg-native"], logLevel: "error" },
  });
});

afterAll(async () => {
  await pool?.end();
  await database?.close();
  if (folder) rmSync(folder, { recursive: true });
});

async function startServer(port: number, form: string): Promise<ChildProcess> {
  const child = fork(join(folder, "charges.cjs"), {
    env: { ...process.env, PORT: String(port), DATABASE: JSON.stringify(database.connection), FORM: form },
  });
  await once(child, "message");
  return child;
}

async function count(sql: string): Promise<number> {
  return (await pool.query(sql)).rows[0].count;
}

/** Sends every wish until it is answered, while answers are cut and the server is killed; returns what each client got. */
async function storm(form: string, clients: number): Promise<{ answers: string[]; cuts: number; again: string[] }> {
  await pool.query(
    "drop table if exists charges; create table charges (id serial, wish text); delete from idempotency_keys",
  );
  const port = await freePort();
  let server = await startServer(port, form);
  const faulty: TcpProxy = await proxy({ port });
  const send = retryFetch({
    stop: stopNever,
    wait: waitRandom(1, 30),
    budget: false,
    idempotencyKey: true,
    attemptTimeout: 20_000,
  });
  const url = `http://127.0.0.1:${faulty.port}/charges`;
  // An answer may also be cut in its body, which is the reader's: the whole is tried again, with the same key.
  const post = retry(
    async (wish: number) => {
      const response = await send(url, {
        method: "POST",
        body: `wish ${wish}`,
        headers: { "idempotency-key": `"key ${wish}"` },
      });
      return `${response.status} ${await response.text()}`;
    },
    { stop: stopNever, wait: waitRandom(1, 30) },
  );
  let [cuts, answered, killed] = [0, 0, 0];
  const revivals: Promise<ChildProcess>[] = [];
  const answers: string[] = Array(WISHES);
  const wishes = Array.from({ length: WISHES }, (_, wish) => wish).values();
  const worker = async () => {
    for (const wish of wishes) {
      answers[wish] = await post(wish);
      answered++;
      if (answered % 7 === 0) void faulty.cutInAnswer((cuts++ * 37) % 300);
      if (killed < KILLS && answered > ((killed + 1) * WISHES) / (KILLS + 1)) {
        killed++;
        // It dies at its next effect.
        revivals.push(once(server, "exit").then(() => startServer(port, form)));
        server.send("die");
        void revivals.at(-1)!.then((next) => {
          server = next;
        });
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, worker));
  await Promise.all(revivals);
  // Whoever comes again gets the same.
  const again = await Promise.all([0, 1, WISHES / 2, WISHES - 1].map((wish) => post(wish)));
  await faulty.close();
  const gone = once(server, "exit");
  server.kill("SIGKILL");
  await gone;
  return { answers, cuts, again };
}

describe.skipIf(missing)(
  named("a thousand POSTs through a proxy that cuts answers, to a server that is killed twice,", missing),
  () => {
    it("have every effect once and every client the right answer, byte for byte, in the transaction form", async () => {
      const { answers, cuts, again } = await storm("transaction", 16);

      const { rows } = await pool.query(
        "select wish, min(id) as id, count(*)::int as count from charges group by wish",
      );
      expect(rows).toHaveLength(WISHES);
      expect(rows.filter((row) => row.count !== 1)).toEqual([]);
      const charged = new Map(rows.map(({ wish, id }) => [wish, id]));
      const right = answers.map(
        (_, wish) => `201 ${JSON.stringify({ charge: charged.get(`wish ${wish}`), of: `wish ${wish}` })}`,
      );
      expect(answers).toEqual(right);
      expect(again).toEqual([0, 1, WISHES / 2, WISHES - 1].map((wish) => answers[wish]));
      expect(cuts).toBeGreaterThan(10);
    });

    it("have with a plain store one more effect for each kill that comes between an effect and its record, and no other", async () => {
      const { answers } = await storm("plain", 1);

      expect(await count("select count(distinct wish)::int as count from charges")).toBe(WISHES);
      // One request was under way at each kill, and had had its effect.
      expect((await count("select count(*)::int as count from charges")) - WISHES).toBe(KILLS);
      expect(answers.filter((answer) => !/^201 \{"charge":\d+,"of":"wish \d+"\}$/.test(answer))).toEqual([]);
    });
  },
);
