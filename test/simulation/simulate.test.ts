import { currentAttempt, NonRetryableError, stopAfterAttempt, stopNever, waitFixed, waitNone } from "undaunted";
import { type SimulatedCall, type SimulateOptions, simulate } from "undaunted/simulation";
import { describe, expect, it } from "vitest";
import { sumOf } from "../../src/simulation/measures.js";
import { contenders, fourAttempts } from "./contenders.js";

const once = { stop: stopAfterAttempt(1) };

/** A few seconds of a small fleet. */
const brief = {
  policy: once,
  clients: 4,
  before: 2_000,
  outage: { kind: "slow", lasts: 2_000 },
  after: 2_000,
} satisfies SimulateOptions;

describe("simulate", () => {
  it("plays the same run for the same seed", async () => {
    const options: SimulateOptions = { ...brief, policy: fourAttempts, outage: { kind: "failing", lasts: 2_000 } };

    const runs = [await simulate(options), await simulate(options)];

    expect(runs[0]).toEqual(runs[1]);
  });

  it("plays the same run beside others as alone", async () => {
    const options: SimulateOptions = { ...brief, policy: fourAttempts, outage: { kind: "failing", lasts: 2_000 } };
    const alone = await simulate(options);

    const beside = await Promise.all([simulate(options), simulate({ ...options, seed: 2 }), simulate(options)]);

    expect([beside[0], beside[2]]).toEqual([alone, alone]);
  });

  it("draws other calls for another seed", async () => {
    const options = { ...brief, server: { shards: 8 } };

    const runs = [await simulate({ ...options, seed: 1 }), await simulate({ ...options, seed: 2 })];

    const [one, other] = runs.map(({ perSecond }) => perSecond.map(({ calls }) => calls));
    expect(one).not.toEqual(other);
  });

  it("gives every policy the very same calls", async () => {
    const runs = await Promise.all(
      contenders.map(({ policy }) => simulate({ ...brief, policy, server: { shards: 8 } })),
    );

    const [first, ...others] = runs.map(({ perSecond }) => perSecond.map(({ calls }) => calls));
    for (const other of others) expect(other).toEqual(first);
  });

  it("starts a call when it is due, whether or not the last one came back", async () => {
    const { perSecond } = await simulate({ ...brief, outage: { kind: "blackhole", lasts: 2_000 } });

    expect(perSecond.map(({ calls }) => calls)).toEqual([40, 40, 40, 40, 40, 40]);
  });

  it("calls a policy that is a function once for each client, with its number", async () => {
    const made: number[] = [];

    const policy: SimulateOptions["policy"] = ({ index }) => {
      made.push(index);
      return once;
    };

    await simulate({ ...brief, policy });

    expect(made).toEqual([0, 1, 2, 3]);
  });

  it("lets a function that a policy returns make the calls", async () => {
    const seen: (readonly [index: number, call: SimulatedCall])[] = [];

    const { success, attempts } = await simulate({
      ...brief,
      policy: ({ send, index }) => {
        return async (call) => {
          seen.push([index, { ...call }]);
          if (index > 0) await send(call);
        };
      },
      outage: undefined,
    });

    expect(new Set(seen.map(([index]) => index))).toEqual(new Set([0, 1, 2, 3]));
    expect(seen[0]![1]).toEqual({ shard: 0, attempts: 0 });
    expect({ success, attempts }).toEqual({ success: 1, attempts: 120 });
  });

  it("gives each client its rate, and begins when it joins", async () => {
    const { perSecond } = await simulate({
      ...brief,
      rate: (index) => 10 * (index + 1),
      joins: (index) => 1_000 * index,
    });

    expect(perSecond.map(({ calls }) => calls)).toEqual([10, 30, 60, 100, 100, 100]);
  });

  it("gives the server what all clients' rates together ask for, times its capacity", async () => {
    const { success } = await simulate({
      ...brief,
      clients: 2,
      rate: (index) => [100, 300][index]!,
      server: { capacity: 0.5, queue: 100 },
      before: 100_000,
      outage: undefined,
      after: 0,
    });

    expect(success).toBeGreaterThan(0.45);
    expect(success).toBeLessThan(0.55);
  });

  it("gives up an attempt after a second unless its policy says otherwise", async () => {
    const latency = { latency: 1_500 };

    const [usual, patient, without] = await Promise.all(
      [once, { ...once, attemptTimeout: 2_000 }, { ...once, attemptTimeout: Infinity }].map((policy) =>
        simulate({ ...brief, policy, server: latency, outage: undefined }),
      ),
    );

    expect([usual!.success, patient!.success, without!.success]).toEqual([0, 1, 1]);
  });

  it("measures the first shard alone, which has the outage", async () => {
    const { perSecond, attempts, calls } = await simulate({
      ...brief,
      clients: 8,
      server: { shards: 8 },
      outage: { kind: "refused", lasts: 2_000 },
    });

    const failed = perSecond.map((second) => second.calls - second.successes);
    expect(failed.map((count) => count > 0)).toEqual([false, false, true, true, false, false]);
    expect(sumOf(perSecond, "successes")).toBeLessThan(0.8 * calls);
    expect(attempts).toBe(calls);
    expect(sumOf(perSecond, "firstSuccesses")).toBe(sumOf(perSecond, "successes"));
  });

  it("distinguishes a first attempt that succeeded from a call that succeeded in the end", async () => {
    const { perSecond, calls, success } = await simulate({
      ...brief,
      policy: fourAttempts,
      server: { capacity: 10, failing: 0.5 },
      outage: undefined,
    });

    expect(sumOf(perSecond, "firstSuccesses") / calls).toBeCloseTo(0.5, 1);
    expect(success).toBeCloseTo(1 - 0.5 ** 4, 1);
  });

  it("counts what is retried after the end of the run as of the second in which its call was due", async () => {
    const { success } = await simulate({
      ...brief,
      policy: { stop: stopAfterAttempt(2), wait: waitFixed(60_000) },
      before: 0,
      outage: { kind: "refused", lasts: 2_000 },
      after: 0,
    });

    expect(success).toBe(1);
  });

  it("ends with the last call, whatever timers there are", async () => {
    let last = 0;
    const policy: SimulateOptions["policy"] = ({ clock }) => {
      const beat = () => {
        last = clock.now();
        clock.setTimer(beat, 1_000);
      };
      beat();
      return { stop: stopAfterAttempt(2), wait: waitFixed(20_000) };
    };

    await simulate({ ...brief, clients: 1, policy, server: { failing: 1 } });

    expect(last).toBe(36_000);
  });

  it("ends although a policy never does", async () => {
    const { success } = await simulate({
      ...brief,
      clients: 1,
      policy: { stop: stopNever, wait: waitFixed(10_000) },
      server: { failing: 1 },
    });

    expect(success).toBe(0);
  });

  it("rejects where a call is repeated without end at one instant", async () => {
    const policy = { stop: stopNever, wait: waitNone };

    await expect(simulate({ ...brief, clients: 1, policy, outage: "refused" })).rejects.toThrow(
      "simulate: one call has sent 100000 requests: its policy needs a stop or a wait",
    );
  });

  it("rejects with what is wrong with a policy, and does not take it for a failed call", async () => {
    const wait = () => {
      throw new Error("broken wait");
    };

    const run = simulate({ ...brief, policy: { wait }, outage: "refused" });

    await expect(run).rejects.toMatchObject({ name: "StrategyError", cause: new Error("broken wait") });
  });

  it("rejects with what is wrong with a function that calls", async () => {
    const policy = () => async () => {
      await undefined;
      currentAttempt();
    };

    await expect(simulate({ ...brief, policy })).rejects.toThrow("currentAttempt");
  });

  it("leaves the depth of stacks as it was, whichever of several ends first and however", async () => {
    const usual = Error.stackTraceLimit;
    Error.stackTraceLimit = 7;
    const wrong = { wait: () => Number.NaN };

    const runs = [
      simulate({ ...brief, before: 0 }),
      simulate(brief),
      simulate({ ...brief, policy: wrong, before: 0, outage: "refused" }),
    ];
    await Promise.allSettled(runs);
    const left = Error.stackTraceLimit;
    Error.stackTraceLimit = usual;

    expect(left).toBe(7);
  });

  it("keeps of the stack of an error in a policy the line where it was thrown", async () => {
    const wait = () => {
      throw new Error("broken wait");
    };

    const error = await simulate({ ...brief, policy: { wait }, outage: "refused" }).catch((thrown: Error) => thrown);

    expect(((error as Error).cause as Error).stack).toMatch(/^Error: broken wait\n.*simulate\.test\.ts.*$/);
  });

  it("takes an error of the policy's own for a failed call", async () => {
    const { success } = await simulate({
      ...brief,
      policy: () => async () => {
        throw new NonRetryableError("no");
      },
    });

    expect(success).toBe(0);
  });
});

describe("bad input of simulate", () => {
  const cases: [options: unknown, message: string][] = [
    [{}, "simulate: policy must be options of retry, or a function, got undefined"],
    [{ policy: 4 }, "simulate: policy must be options of retry, or a function, got 4"],
    [{ policy: { stop: 5 } }, "stop must be a function"],
    [{ policy: () => 5 }, "simulate: policy must return options of retry or a function, got 5"],
    [{ policy: () => async () => 5, clients: 0 }, "simulate: clients must be a whole number from 1, got 0"],
    [{ policy: once, rate: 0 }, "simulate: rate must be a finite number above 0, or a function, got 0"],
    [{ policy: once, rate: () => 0 }, "simulate: what rate returned must be a finite number above 0, got 0"],
    [{ policy: once, joins: () => -1 }, "simulate: what joins returned must be a finite number of ms from 0, got -1"],
    [{ policy: once, seed: Number.NaN }, "simulate: seed must be a finite number, got NaN"],
    [{ policy: once, before: -1 }, "simulate: before must be a finite number of ms from 0, got -1"],
    [{ policy: once, during: 1 }, 'simulate: there is no option "during"'],
    [{ policy: once, server: { failing: 2 } }, "simulate's server: failing must be a number from 0 to 1, got 2"],
    [{ policy: once, server: { shards: 0 } }, "simulate's server: shards must be a whole number from 1, got 0"],
    [
      { policy: once, outage: "fire" },
      "simulate: outage must be an object, or one of blackhole, refused, slow, failing",
    ],
    [
      { policy: once, outage: {} },
      "simulate's outage: kind must be one of blackhole, refused, slow, failing, got undefined",
    ],
    [
      { policy: once, outage: { kind: "slow", pace: 0 } },
      "simulate's outage: pace must be a number above 0, at most 1, got 0",
    ],
    [
      { policy: once, outage: { kind: "slow", lasts: 0 } },
      "simulate's outage: lasts must be a finite number of ms above 0, got 0",
    ],
    [{ policy: { clock: {} } }, "simulate: policy.clock needs a policy that is a function"],
    [{ policy: { budget: {} } }, "simulate: policy.budget needs a policy that is a function"],
  ];

  it.each(["policy", "outage"])("is a TypeError where %s is a number, which it never may be", async (option) => {
    const simulation = simulate({ policy: once, [option]: 4 } as never);

    await expect(simulation).rejects.toThrow(TypeError);
    await expect(simulation).rejects.toThrow(`simulate: ${option} must be`);
  });

  it.each(cases)("is an error at once: %o", async (options, message) => {
    await expect(simulate(options as SimulateOptions)).rejects.toThrow(message);
  });
});
