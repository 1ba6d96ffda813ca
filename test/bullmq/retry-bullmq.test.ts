import { retryIfErrorCode, retryIfResult, stopAfterAttempt, stopBeforeDelay, waitFixed } from "undaunted";
import { type BullmqJob, retryBullmq } from "undaunted/bullmq";
import { describe, expect, it, vi } from "vitest";

const busy = () => Object.assign(new Error("busy"), { code: "EBUSY" });
const policy = { wait: waitFixed(99.5), stop: stopAfterAttempt(3), retryIf: retryIfErrorCode("EBUSY") };

/** A job as BullMQ has it in Redis, and each worker anew. */
function queued(settings: unknown, fields: Partial<BullmqJob> = {}) {
  const kept = {
    name: "charge",
    data: { order: "42" } as unknown,
    opts: retryBullmq().jobOptions as BullmqJob["opts"],
    attemptsMade: 0,
    timestamp: Date.now(),
    ...fields,
  };
  const moved: number[] = [];
  return {
    kept,
    moved,
    taken: (): BullmqJob => ({
      ...structuredClone(kept),
      ...({ queue: { opts: { settings } } } as object),
      async updateData(data) {
        kept.data = structuredClone(data);
      },
      async moveToDelayed(at) {
        moved.push(at);
      },
    }),
  };
}

describe("a job that BullMQ asks about", () => {
  it("fails with its own error, and waits a whole number of ms", async () => {
    const { processor, settings } = retryBullmq(policy);
    const job = queued(settings).taken();
    const error = busy();

    await expect(processor(() => Promise.reject(error))(job)).rejects.toBe(error);

    expect(await settings.backoffStrategy(1, "undaunted", error, job)).toBe(100);
  });

  it("remembers its policy's state in its data, which no processor sees", async () => {
    const { processor, settings } = retryBullmq(policy);
    const { kept, taken } = queued(settings);
    const seen: unknown[] = [];
    const process = processor((job) => {
      seen.push(job.data);
      throw busy();
    });

    await process(taken()).catch(() => {});
    expect(kept.data).toMatchObject({ order: "42", "~retry": { v: 1, attempt: 1 } });
    kept.attemptsMade = 1;
    (kept.data as { "~retry": { at: number } })["~retry"].at = 0;
    await process(taken()).catch(() => {});

    expect(seen).toEqual([{ order: "42" }, { order: "42" }]);
    expect(kept.data).toMatchObject({ "~retry": { attempt: 2, idle: 199 } });
  });

  it.each<[string, unknown]>([
    ["a list", [1, 2]],
    ["a text", "order 42"],
    ["nothing", null],
  ])("remembers it beside %s, too", async (_what, data) => {
    const { processor, settings } = retryBullmq(policy);
    const { kept, taken } = queued(settings, { data });
    await processor(() => Promise.reject(busy()))(taken()).catch(() => {});
    kept.attemptsMade = 1;

    const seen = await processor((job) => job.data)(taken());

    expect(kept.data).toMatchObject({ "~retry": { attempt: 1 } });
    expect(seen).toEqual(data);
  });

  it("is given up by the policy, whatever its count of attempts", async () => {
    const { processor, settings } = retryBullmq(policy);
    const { kept, taken } = queued(settings, { attemptsMade: 2 });
    const job = taken();
    const error = busy();

    await expect(processor(() => Promise.reject(error))(job)).rejects.toBe(error);

    expect(await settings.backoffStrategy(3, "undaunted", error, job)).toBe(-1);
    expect(kept.data).toEqual({ order: "42" });
  });

  it("returns what its fallback returns", async () => {
    const { processor, settings } = retryBullmq({ ...policy, fallback: () => "instead" });

    const value = processor(() => Promise.reject(new Error("no")))(queued(settings).taken());

    expect(await value).toBe("instead");
  });

  it("fails with a sentence where its value is not wanted yet", async () => {
    const { processor, settings } = retryBullmq({ retryIf: retryIfResult(() => true) });

    await expect(processor(() => "pending")(queued(settings).taken())).rejects.toThrow("another attempt was asked for");
  });

  it("has a deadline from when it was due first", async () => {
    const { processor, settings } = retryBullmq({ stop: stopBeforeDelay(1_000), wait: waitFixed(500) });
    const fails = processor(() => Promise.reject(busy()));
    const ago = (ms: number, delay: number) =>
      queued(settings, { timestamp: Date.now() - ms, opts: { ...retryBullmq().jobOptions, delay } }).taken();
    const [late, delayed] = [ago(600, 0), ago(600, 600)];

    await Promise.all([late, delayed].map((job) => fails(job).catch(() => {})));

    expect(await settings.backoffStrategy(1, "", busy(), late)).toBe(-1);
    expect(await settings.backoffStrategy(1, "", busy(), delayed)).toBe(500);
  });

  it("ends its attempt when the worker cancels it, and is not retried", async () => {
    const { processor, settings } = retryBullmq(policy);
    const controller = new AbortController();
    const job = queued(settings).taken();
    let signal: AbortSignal | undefined;

    const running = processor((_job, context) => {
      signal = context.signal;
      return new Promise(() => {});
    })(job, "token", controller.signal);
    controller.abort(new Error("cancelled"));

    await expect(running).rejects.toThrow("cancelled");
    expect(signal?.aborted).toBe(true);
    expect(await settings.backoffStrategy(1, "", undefined, job)).toBe(-1);
  });

  it("has a processor of three parameters, since BullMQ hands a signal to no other", () => {
    expect(retryBullmq().processor(() => 1)).toHaveLength(3);
  });

  it("goes by a policy of its own where a function returns it", async () => {
    const { processor, settings } = retryBullmq((job: BullmqJob) => ({ wait: waitFixed(job.data.patience) }));
    const job = queued(settings, { data: { patience: 7 } }).taken();

    await processor(() => Promise.reject(busy()))(job).catch(() => {});

    expect(await settings.backoffStrategy(1, "", busy(), job)).toBe(7);
  });

  it("is decided by attempt and time where its memo could not be kept, which is reported", async () => {
    const errors: unknown[] = [];
    const { processor, settings } = retryBullmq({ ...policy, onHookError: (error) => void errors.push(error) });
    const job = { ...queued(settings).taken(), updateData: () => Promise.reject(new Error("redis is away")) };

    await processor(() => Promise.reject(busy()))(job).catch(() => {});

    expect(await settings.backoffStrategy(1, "", busy(), job)).toBe(100);
    expect(errors).toMatchObject([{ message: "redis is away" }]);
  });
});

describe("a job that BullMQ does not ask about", () => {
  it.each<[string, BullmqJob["opts"]]>([
    ["has one attempt, as by default", {}],
    ["has a backoff of its own", { attempts: 5, backoff: { type: "exponential", delay: 1 } }],
    ["was added for a worker that has our settings", retryBullmq().jobOptions],
  ])("and that %s is moved by the processor, and given up for good", async (_what, opts) => {
    const { processor } = retryBullmq(policy);
    const { kept, moved, taken } = queued(undefined, { opts });
    const process = processor(() => Promise.reject(busy()));
    const before = Date.now();

    await expect(process(taken(), "token")).rejects.toMatchObject({ name: "DelayedError" });
    expect(moved[0]).toBeGreaterThanOrEqual(before + 99);
    // It stands still at BullMQ's count, and goes on at the policy's.
    (kept.data as { "~retry": { at: number } })["~retry"].at = 0;
    await expect(process(taken(), "token")).rejects.toMatchObject({ name: "DelayedError" });
    (kept.data as { "~retry": { at: number } })["~retry"].at = 0;
    const end = process(taken(), "token");

    if ((opts.attempts ?? 1) > 1)
      await expect(end).rejects.toMatchObject({ name: "UnrecoverableError", message: "busy" });
    else await expect(end).rejects.toMatchObject({ name: "Error", code: "EBUSY" });
    expect(kept.data).toEqual({ order: "42" });
  });
});

it("sleeps on where a process died between a decision and its sleep", async () => {
  const { processor, settings } = retryBullmq(policy);
  const { kept, moved, taken } = queued(settings);
  await processor(() => Promise.reject(busy()))(taken()).catch(() => {});
  const at = Date.now() + 60_000;
  (kept.data as { "~retry": { at: number } })["~retry"].at = at;
  const again = vi.fn();

  await expect(processor(again)(taken(), "token")).rejects.toMatchObject({ name: "DelayedError" });

  expect(again).not.toHaveBeenCalled();
  expect(moved).toEqual([at]);
});

describe("the backoff strategy alone, as of a sandboxed processor", () => {
  it("decides by what is left of the error", async () => {
    const { settings } = retryBullmq(policy);
    const { kept, taken } = queued(settings);

    expect(await settings.backoffStrategy(1, "undaunted", busy(), taken())).toBe(100);
    expect(kept.data).toMatchObject({ "~retry": { attempt: 1 } });
    expect(await settings.backoffStrategy(1, "undaunted", new Error("a bug"), taken())).toBe(-1);
  });

  it("gives up where a policy cannot be made, since BullMQ would leave the job active for ever", async () => {
    const { settings } = retryBullmq(() => ({ stop: 5 }) as object);

    expect(await settings.backoffStrategy(1, "undaunted", busy(), queued(settings).taken())).toBe(-1);
  });
});

it("refuses bad options at once, and those that mean one process", () => {
  expect(() => retryBullmq({ stop: 5 } as object)).toThrow("retryBullmq: stop must be a function");
  expect(() => retryBullmq({ unref: true } as object)).toThrow("retryBullmq: unref means one process");
  expect(() => retryBullmq().processor(5 as never)).toThrow(TypeError);
});
