import { retryIfErrorCode, retryIfResult, stopAfterAttempt, stopBeforeDelay, waitFixed } from "undaunted";
import { type PgBossJob, retryPgBoss } from "undaunted/pg-boss";
import { describe, expect, it, vi } from "vitest";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const policy = { wait: waitFixed(60_000), stop: stopAfterAttempt(3), retryIf: retryIfErrorCode("EBUSY") };

const jobOf = (fields: Partial<PgBossJob> = {}): PgBossJob => ({
  id: "1",
  name: "charges",
  data: { order: "42" },
  retryCount: 0,
  retryLimit: 2,
  createdOn: new Date(),
  startAfter: new Date(),
  signal: new AbortController().signal,
  ...fields,
});

/** A pg-boss that remembers what it was asked in which transaction. */
function bossOf({ affected = 1, updated = 1 } = {}) {
  const asked: unknown[][] = [];
  const ended: string[] = [];
  return {
    asked,
    ended,
    getDb: () => ({
      withTransaction: async (fn: (db: unknown) => Promise<unknown>) => {
        try {
          const result = await fn("tx");
          ended.push("commit");
          return result as never;
        } catch (error) {
          ended.push("rollback");
          throw error;
        }
      },
    }),
    async fail(...args: unknown[]) {
      asked.push(["fail", ...args]);
      return { affected };
    },
    async update(...args: unknown[]) {
      asked.push(["update", ...args]);
      return { updated };
    },
  };
}

describe("retryPgBoss", () => {
  it("completes a job with what its handler returns", async () => {
    const results = await retryPgBoss(bossOf()).handler((job) => job.data.order)([jobOf()]);

    expect(results).toEqual([{ id: "1", status: "completed", output: "42" }]);
  });

  it("sends the same job back in one transaction, due to the millisecond, and leaves what a killed worker may cost", async () => {
    const boss = bossOf();
    const before = Date.now();

    const results = await retryPgBoss(boss, policy).handler(() => Promise.reject(busy()))([jobOf()]);

    const [failing, updating] = boss.asked as [unknown[], [string, string, object, { startAfter: Date }]];
    expect(failing).toMatchObject(["fail", "charges", { id: "1", retryCount: 0 }, { code: "EBUSY" }, { db: "tx" }]);
    expect(updating).toMatchObject([
      "update",
      "charges",
      { order: "42", "~retry": { v: 1, attempt: 1 } },
      { id: "1", retryLimit: 3, db: "tx" },
    ]);
    expect(updating[3].startAfter.getTime()).toBeGreaterThanOrEqual(before + 60_000);
    expect(boss.ended).toEqual(["commit"]);
    expect(results).toEqual([{ id: "1", status: "completed" }]);
  });

  it("goes on from the memo, which the handler does not see", async () => {
    const boss = bossOf();
    const seen: unknown[] = [];
    const handle = retryPgBoss(boss, policy).handler((job, { attempt }) => {
      seen.push(job.data, attempt);
      throw busy();
    });
    await handle([jobOf()]);
    const data = JSON.parse(JSON.stringify(boss.asked[1]![2]));

    await handle([jobOf({ data, retryCount: 1, retryLimit: 3 })]);
    const more = JSON.parse(JSON.stringify(boss.asked[3]![2]));
    const [end] = await handle([jobOf({ data: more, retryCount: 2, retryLimit: 4 })]);

    expect(seen).toEqual([{ order: "42" }, 1, { order: "42" }, 2, { order: "42" }, 3]);
    expect(end).toMatchObject({ status: "deadletter", output: { code: "EBUSY", exhausted: true } });
  });

  it("begins anew with a copy of a job, as a dead letter is", async () => {
    const boss = bossOf();
    const seen: unknown[] = [];
    const handle = retryPgBoss(boss, policy).handler((job, { attempt }) => {
      seen.push(job.data, attempt);
      throw busy();
    });
    await handle([jobOf()]);

    await handle([jobOf({ id: "2", data: JSON.parse(JSON.stringify(boss.asked[1]![2])) })]);

    expect(seen).toEqual([{ order: "42" }, 1, { order: "42" }, 1]);
  });

  it("fails for good what is not retryable, whatever retryLimit says", async () => {
    const boss = bossOf();

    const [result] = await retryPgBoss(boss, policy).handler(() => Promise.reject(new Error("a bug")))([jobOf()]);

    expect(result).toMatchObject({ status: "deadletter", output: { message: "a bug" } });
    expect(boss.asked).toEqual([]);
  });

  it("says of each job of a batch what became of it", async () => {
    const handle = retryPgBoss(bossOf(), policy).handler((job) => {
      if (job.id === "2") throw new Error("a bug");
      return job.id;
    });

    const results = await handle([jobOf(), jobOf({ id: "2" }), jobOf({ id: "3" })]);

    expect(results.map(({ id, status }) => [id, status])).toEqual([
      ["1", "completed"],
      ["2", "deadletter"],
      ["3", "completed"],
    ]);
  });

  it("sends a job back whose value is not wanted yet", async () => {
    const boss = bossOf();

    await retryPgBoss(boss, { retryIf: retryIfResult(() => true) }).handler(() => "pending")([jobOf()]);

    expect(boss.asked[0]![3]).toEqual({ message: "the value was not wanted yet" });
  });

  it("gives up, and lets the hooks know, where pg-boss would take no job back", async () => {
    const onRetry = vi.fn();
    const onGiveUp = vi.fn();
    const options = { ...policy, onRetry, onGiveUp };

    const [result] = await retryPgBoss(bossOf(), options).handler(() => Promise.reject(busy()))([
      jobOf({ retryCount: 2, retryLimit: 2 }),
    ]);

    expect(result).toMatchObject({ status: "deadletter" });
    expect(onRetry).not.toHaveBeenCalled();
    expect(onGiveUp).toHaveBeenCalledWith(expect.objectContaining({ reason: "stopped" }));
  });

  it.each([
    ["another worker has the job", { affected: 0 }, "was taken away"],
    ["the job is not in its queue", { updated: 0 }, "could not be sent back"],
  ])("undoes all where %s, and says so", async (_what, answers, message) => {
    const boss = bossOf(answers);

    const [result] = await retryPgBoss(boss, policy).handler(() => Promise.reject(busy()))([jobOf()]);

    expect(boss.ended).toEqual(["rollback"]);
    expect(result).toMatchObject({ status: "failed", output: { message: expect.stringContaining(message) } });
  });

  it("needs a database with transactions", async () => {
    const boss = { ...bossOf(), getDb: () => ({}) };

    const [result] = await retryPgBoss(boss, policy).handler(() => Promise.reject(busy()))([jobOf()]);

    expect(result).toMatchObject({ status: "failed", output: { message: expect.stringContaining("withTransaction") } });
  });

  it("has a deadline from when the job was due first, also where a worker died of its first attempt", async () => {
    const ago = (ms: number) => new Date(Date.now() - ms);
    const options = { stop: stopBeforeDelay(1_000), wait: waitFixed(500), retryIf: retryIfErrorCode("EBUSY") };
    const handle = retryPgBoss(bossOf(), options).handler(() => Promise.reject(busy()));

    const results = await handle([
      jobOf({ createdOn: ago(900), startAfter: ago(0) }),
      jobOf({ createdOn: ago(900), startAfter: ago(900) }),
      jobOf({ createdOn: ago(900), startAfter: ago(0), retryCount: 1 }),
    ]);

    expect(results.map(({ status }) => status)).toEqual(["completed", "deadletter", "deadletter"]);
  });

  it("ends an attempt when pg-boss takes the job away, and leaves it to another worker", async () => {
    const controller = new AbortController();

    const running = retryPgBoss(bossOf(), policy).handler(() => new Promise(() => {}))([
      jobOf({ signal: controller.signal }),
    ]);
    controller.abort(new Error("expired"));

    expect(await running).toMatchObject([{ status: "failed", output: { message: "expired" } }]);
  });

  it("goes by a policy of the job's own, and fails the job alone where that is none", async () => {
    const boss = bossOf();
    const handle = retryPgBoss(boss, (job: PgBossJob) => job.data).handler(() => Promise.reject(busy()));

    const results = await handle([
      jobOf({ data: { stop: 5 } }),
      jobOf({ id: "2", data: { stop: stopAfterAttempt(1) } }),
    ]);

    expect(results).toMatchObject([{ status: "failed" }, { id: "2", status: "deadletter" }]);
  });

  it("refuses bad input at once", () => {
    expect(() => retryPgBoss({} as never)).toThrow("retryPgBoss: boss must be a PgBoss");
    expect(() => retryPgBoss(bossOf(), { clock: {} } as object)).toThrow("clock means one process");
    expect(() => retryPgBoss(bossOf()).handler(5 as never)).toThrow(TypeError);
  });
});
