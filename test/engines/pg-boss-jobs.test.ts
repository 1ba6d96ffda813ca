import { type JobWithMetadata, PgBoss } from "pg-boss";
import { retryIfErrorCode, stopAfterAttempt, waitFixed } from "undaunted";
import { retryPgBoss } from "undaunted/pg-boss";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Postgres, startPostgres } from "../transient/servers/index.js";

// What docs/pg-boss.md says beyond what holds on every engine.
let postgres: Postgres;
let boss: PgBoss;

beforeAll(async () => {
  postgres = await startPostgres();
  boss = new PgBoss({ ...postgres.connection, supervise: false });
  boss.on("error", () => {});
  await boss.start();
});

afterAll(async () => {
  await boss?.stop({ graceful: false });
  await postgres?.close();
});

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });

it("a retry is the same job, and one that is given up goes to the dead letters", async () => {
  await boss.createQueue("dead");
  await boss.createQueue("charges", { deadLetter: "dead", retryLimit: 1 });
  const seen: unknown[] = [];
  const policy = retryPgBoss(boss, {
    wait: waitFixed(20),
    stop: stopAfterAttempt(3),
    retryIf: retryIfErrorCode("EBUSY"),
  });
  const handler = policy.handler((job: JobWithMetadata<{ order: string }>, { attempt }) => {
    seen.push([job.id, job.data, attempt]);
    throw busy();
  });

  const id = await boss.send("charges", { order: "42" });
  await boss.work("charges", { ...policy.workOptions, pollingIntervalSeconds: 0.5 }, handler);

  await expect.poll(async () => (await boss.getJobById("charges", id!))?.state, { timeout: 60_000 }).toBe("failed");
  expect(seen).toEqual([1, 2, 3].map((attempt) => [id, { order: "42" }, attempt]));
  const [letter] = await boss.fetch<{ order: string }>("dead", { includeMetadata: true });
  expect(letter).toMatchObject({ data: { order: "42" }, sourceId: id, sourceName: "charges" });
  expect((await boss.getJobById("charges", id!))?.output).toMatchObject({ code: "EBUSY", exhausted: true });
});

it("each job of a batch goes its own way", async () => {
  await boss.createQueue("batch", { retryLimit: 1 });
  const policy = retryPgBoss(boss, { wait: waitFixed(20), retryIf: retryIfErrorCode("EBUSY") });
  const handler = policy.handler((job: JobWithMetadata<{ n: number }>, { attempt }) => {
    if (job.data.n === 1) throw new Error("a bug");
    if (job.data.n === 2 && attempt === 1) throw busy();
    return `${job.data.n}: ${attempt}`;
  });
  const ids = await Promise.all([1, 2, 3].map((n) => boss.send("batch", { n })));

  await boss.work("batch", { ...policy.workOptions, batchSize: 3, pollingIntervalSeconds: 0.5 }, handler);

  const states = () => Promise.all(ids.map(async (id) => (await boss.getJobById("batch", id!))?.state));
  await expect.poll(states, { timeout: 60_000 }).toEqual(["failed", "completed", "completed"]);
  const outputs = await Promise.all(ids.map(async (id) => (await boss.getJobById("batch", id!))?.output));
  expect(outputs.slice(1)).toEqual([{ value: "2: 2" }, { value: "3: 1" }]);
});
