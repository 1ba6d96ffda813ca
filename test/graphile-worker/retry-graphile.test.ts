import { retryIfErrorCode, stopAfterAttempt, stopBeforeDelay, waitFixed } from "undaunted";
import { type GraphileHelpers, retryGraphile } from "undaunted/graphile-worker";
import { describe, expect, it } from "vitest";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const policy = { wait: waitFixed(60_000), stop: stopAfterAttempt(3), retryIf: retryIfErrorCode("EBUSY") };

function helpersOf(job: Partial<GraphileHelpers["job"]> = {}, queue: string | null = null) {
  const added: any[][] = [];
  const asked: any[][] = [];
  const logged: string[] = [];
  const controller = new AbortController();
  return {
    added,
    asked,
    logged,
    controller,
    job: {
      id: "7",
      task_identifier: "charge",
      key: "order-42",
      priority: 3,
      attempts: 1,
      max_attempts: 25,
      flags: { slow: true },
      created_at: new Date(),
      run_at: new Date(),
      ...job,
    } as GraphileHelpers["job"],
    logger: { error: (message: string) => logged.push(message) },
    abortSignal: controller.signal,
    getQueueName: () => queue,
    addJob: async (...args: any[]) => void added.push(args),
    withPgClient: (fn: (client: unknown) => Promise<unknown>) =>
      fn({ query: async (...args: any[]) => void asked.push(args) }),
  };
}

describe("retryGraphile", () => {
  it("gives the task its payload, its helpers and the attempt", async () => {
    const helpers = helpersOf();
    let seen: unknown;

    await retryGraphile((payload, given, { attempt }) => {
      seen = [payload, given, attempt];
    })({ order: "42" }, helpers);

    expect(seen).toEqual([{ order: "42" }, helpers, 1]);
    expect(helpers.added).toEqual([]);
  });

  it("adds the job again under its key, as it was, due to the millisecond", async () => {
    const helpers = helpersOf({}, "accounts");
    const before = Date.now();

    await retryGraphile(() => Promise.reject(busy()), policy)({ order: "42" }, helpers);

    const [[task, payload, spec]] = helpers.added as [[string, object, { runAt: Date }]];
    expect(task).toBe("charge");
    expect(payload).toMatchObject({ order: "42", "~retry": { v: 1, attempt: 1 } });
    expect(spec).toMatchObject({
      jobKey: "order-42",
      priority: 3,
      maxAttempts: 25,
      queueName: "accounts",
      flags: ["slow"],
    });
    expect(spec.runAt.getTime()).toBeGreaterThanOrEqual(before + 60_000);
  });

  it("gives a job without a key one, so that it has one from its first retry on", async () => {
    const helpers = helpersOf({ key: null, flags: null });

    const attempts: number[] = [];
    const task = retryGraphile((_payload, _helpers, { attempt }) => {
      attempts.push(attempt);
      throw busy();
    }, policy);
    await task({}, helpers);
    await task(JSON.parse(JSON.stringify(helpers.added[0]![1])), helpersOf({ id: "8", key: "retry:7" }));

    expect(attempts).toEqual([1, 2]);
    expect(helpers.added[0]![2]).toMatchObject({ jobKey: "retry:7" });
    expect(helpers.added[0]![2]).not.toHaveProperty("flags");
    expect(helpers.added[0]![2]).not.toHaveProperty("queueName");
  });

  it("goes on from the memo, which the task does not see", async () => {
    const seen: unknown[] = [];
    const task = retryGraphile((payload, _helpers, { attempt }) => {
      seen.push(payload, attempt);
      throw busy();
    }, policy);
    let payload: unknown = ["42"];
    for (let n = 1; n <= 2; n++) {
      const helpers = helpersOf();
      await task(payload, helpers);
      payload = JSON.parse(JSON.stringify(helpers.added[0]![1]));
    }

    await expect(task(payload, helpersOf())).rejects.toThrow("busy");

    expect(seen).toEqual([["42"], 1, ["42"], 2, ["42"], 3]);
  });

  it("fails for good: its other attempts are taken away, in the schema that is given", async () => {
    const [usual, other] = [helpersOf(), helpersOf()];
    const task = () => Promise.reject(new Error("a bug"));

    await expect(retryGraphile(task, policy)({}, usual)).rejects.toThrow("a bug");
    await expect(retryGraphile(task, policy, { schema: 'jobs"of' })({}, other)).rejects.toThrow("a bug");

    expect(usual.asked).toEqual([['select "graphile_worker".remove_job($1)', ["order-42"]]]);
    expect(other.asked[0]![0]).toBe('select "jobs""of".remove_job($1)');
  });

  it("completes a job without a key that is given up, and logs the error", async () => {
    const helpers = helpersOf({ key: null });

    await retryGraphile(() => Promise.reject(new Error("a bug")), policy)({}, helpers);

    expect(helpers.logged).toEqual(["charge: job 7 was given up, and has no key to fail by: Error: a bug"]);
  });

  it("leaves the last attempt that graphile-worker makes to it", async () => {
    const helpers = helpersOf({ key: null, attempts: 25 });

    await expect(retryGraphile(() => Promise.reject(new Error("a bug")), policy)({}, helpers)).rejects.toThrow("a bug");

    expect([helpers.asked, helpers.logged]).toEqual([[], []]);
  });

  it("has a deadline from when the job was due first, also where a worker died of its first attempt", async () => {
    const ago = (ms: number) => new Date(Date.now() - ms);
    const task = retryGraphile(() => Promise.reject(busy()), { stop: stopBeforeDelay(1_000), wait: waitFixed(500) });

    await task({}, helpersOf({ created_at: ago(900), run_at: ago(0) }));
    await expect(task({}, helpersOf({ created_at: ago(900), run_at: ago(900) }))).rejects.toThrow("busy");
    await expect(task({}, helpersOf({ created_at: ago(900), run_at: ago(0), attempts: 2 }))).rejects.toThrow("busy");
  });

  it("ends an attempt when the worker shuts down, and leaves the job to another one", async () => {
    const helpers = helpersOf();

    const running = retryGraphile(() => new Promise(() => {}), policy)({}, helpers);
    helpers.controller.abort(new Error("shutting down"));

    await expect(running).rejects.toThrow("shutting down");
    expect(helpers.asked).toEqual([]);
  });

  it("refuses bad input at once", () => {
    expect(() => retryGraphile(5 as never)).toThrow(TypeError);
    expect(() => retryGraphile(() => 1, { stop: 5 } as object)).toThrow("retryGraphile: stop must be a function");
    expect(() => retryGraphile(() => 1, {}, { schema: 5 } as object)).toThrow("schema must be a string");
  });
});
