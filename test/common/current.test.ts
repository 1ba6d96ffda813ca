import {
  type AttemptContext,
  currentAttempt,
  retry,
  retryIfNotResult,
  retrySync,
  runWithRetry,
  runWithRetrySync,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const busy = new Error("busy");
const nowhere = new Error(
  "currentAttempt() is valid only inside a function that is being retried, before its first await: " +
    "call it first and keep what it returns",
);
const never = () => new Promise<never>(() => {});

describe.each(bothLoops)("currentAttempt in %s", (_name, wrap) => {
  it("numbers the attempts from 1", async () => {
    const seen: number[] = [];
    const load = wrap(() => {
      seen.push(currentAttempt().attempt);
      if (seen.length < 3) throw busy;
    }, instant);

    await load();

    expect(seen).toEqual([1, 2, 3]);
  });

  it("numbers the attempts from 1 again in every call", async () => {
    const seen: number[] = [];
    const load = wrap(() => seen.push(currentAttempt().attempt), instant);

    await load();
    await load();

    expect(seen).toEqual([1, 1]);
  });

  it("returns the same object throughout an attempt, and another one in the next", async () => {
    const seen: AttemptContext[] = [];
    const load = wrap(() => {
      seen.push(currentAttempt(), currentAttempt());
      if (seen.length < 6) throw busy;
    }, instant);

    await load();

    expect(seen.map((context) => seen.indexOf(context))).toEqual([0, 0, 2, 2, 4, 4]);
    expect(seen.map((context) => context.attempt)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it("knows what the attempt before threw, whatever it was", async () => {
    const thrown = [busy, null, "late", Object.freeze({})];
    const seen: unknown[] = [];
    const load = wrap(
      () => {
        seen.push(currentAttempt().previousError);
        if (seen.length <= thrown.length) throw thrown[seen.length - 1];
      },
      { ...instant, stop: () => false },
    );

    await load();

    expect(seen).toEqual([undefined, ...thrown]);
  });

  it("knows of no error where the attempt before returned a value", async () => {
    const seen: unknown[] = [];
    const poll = wrap(() => seen.push(currentAttempt().previousError), {
      ...instant,
      retryIf: retryIfNotResult((n) => n === 2),
    });

    await poll();

    expect(seen).toEqual([undefined, undefined]);
  });

  it("throws outside an attempt, and says where it is valid", async () => {
    const load = wrap(() => {}, instant);

    await load();

    expect(() => currentAttempt()).toThrow(nowhere);
  });

  it("throws after an attempt that threw", async () => {
    const load = wrap(flaky([busy]), { ...instant, stop: () => true });

    await load().catch(() => {});

    expect(() => currentAttempt()).toThrow(nowhere);
  });

  it("throws in hooks and strategies", async () => {
    const errors: unknown[] = [];
    const ask = <V>(answer?: V) => {
      try {
        currentAttempt();
      } catch (error) {
        errors.push(error);
      }
      return answer as V;
    };
    const load = wrap(flaky([busy, "ok"]), {
      wait: () => ask(0),
      stop: () => ask(false),
      retryIf: () => ask(true),
      onAttempt: () => ask(),
      onRetry: () => ask(),
      onSuccess: () => ask(),
    });

    await load();

    // Two attempts, each announced; of the first a verdict, a wait, a stop and a retry; at the end one success.
    expect(errors).toHaveLength(7);
  });

  it("returns the outer attempt again after a nested call, whether that succeeded or failed", async () => {
    const inner = retrySync(() => currentAttempt().attempt, instant);
    const failing = retrySync(flaky([busy]), { ...instant, stop: () => true });
    const seen: unknown[] = [];
    const load = wrap(() => {
      const outer = currentAttempt();
      seen.push(inner());
      seen.push(currentAttempt() === outer);
      expect(() => failing()).toThrow(busy);
      seen.push(currentAttempt() === outer);
    });

    await load();

    expect(seen).toEqual([1, true, true]);
  });

  it("returns the outer attempt when first called after a nested call", async () => {
    const seen: number[] = [];
    const inner = retrySync(() => void currentAttempt().signal, instant);
    const load = wrap(() => {
      inner();
      seen.push(currentAttempt().attempt);
      if (seen.length < 2) throw busy;
    }, instant);

    await load();

    expect(seen).toEqual([1, 2]);
  });

  it("returns a nested call's own attempt inside it", async () => {
    const contexts: AttemptContext[] = [];
    const inner = retrySync(() => contexts.push(currentAttempt()), instant);
    const load = wrap(() => {
      contexts.push(currentAttempt());
      inner();
    });

    await load();

    expect(contexts[0]).not.toBe(contexts[1]);
  });
});

describe("currentAttempt", () => {
  it("throws after the first await, and what was kept stays valid", async () => {
    const load = retry(async () => {
      const kept = currentAttempt();
      await null;
      expect(() => currentAttempt()).toThrow(nowhere);
      return kept.attempt;
    });

    expect(await load()).toBe(1);
  });

  it("never mixes up the attempts of calls that overlap", async () => {
    const gates: (() => void)[] = [];
    const seen: string[] = [];
    const load = retry(async (name: string) => {
      const { attempt, previousError } = currentAttempt();
      seen.push(`${name}${attempt} after ${previousError}`);
      await new Promise<void>((resolve) => gates.push(resolve));
      if (attempt === 1) throw name;
    }, instant);
    const clock = virtualClock();

    const results = [load("a"), load("b")];
    gates[1]!();
    await clock.advance(0);
    gates[0]!();
    await clock.advance(0);
    gates[2]!();
    gates[3]!();
    await Promise.all(results);

    expect(seen).toEqual(["a1 after undefined", "b1 after undefined", "b2 after b", "a2 after a"]);
  });

  it.each(["retry", "guarded retry"])("keeps the outer attempt over a nested async call: %s", async (kind) => {
    const options = kind === "retry" ? instant : { ...instant, attemptTimeout: 1_000, clock: virtualClock() };
    const inner = retry(async () => currentAttempt().attempt, options);
    const load = retry(async () => {
      const outer = currentAttempt();
      const pending = inner();
      expect(currentAttempt()).toBe(outer);
      return pending;
    }, options);

    expect(await load()).toBe(1);
  });

  it("returns the object that a block gets", async () => {
    const contexts: unknown[] = [];

    const block = (context: AttemptContext) => {
      contexts.push(context === currentAttempt());
      if (context.attempt === 1) throw busy;
    };
    await runWithRetry(block, instant);
    runWithRetrySync(block, instant);

    expect(contexts).toEqual([true, true, true, true]);
  });

  it("returns the attempt also where an async hook held it up", async () => {
    const seen: number[] = [];
    const load = retry(
      () => {
        seen.push(currentAttempt().attempt);
        if (seen.length < 2) throw busy;
      },
      { ...instant, onAttempt: async () => {} },
    );

    await load();

    expect(seen).toEqual([1, 2]);
  });

  it("throws after an attempt that went on with its start later, as a request's does", async () => {
    const seen: number[] = [];
    const send = async () => {
      seen.push(currentAttempt().attempt);
      return new Response();
    };

    await retryFetch({ fetch: send })("https://example.com");

    expect(seen).toEqual([1]);
    expect(() => currentAttempt()).toThrow(nowhere);
  });
});

describe("the signal of an attempt", () => {
  it("makes an attempt's signal only when it is read, and once", async () => {
    const made = vi.fn();
    vi.stubGlobal(
      "AbortController",
      class extends AbortController {
        constructor() {
          super();
          made();
        }
      },
    );

    try {
      const options = { ...instant, attemptTimeout: 1_000, clock: virtualClock() };
      await retry(() => currentAttempt().attempt, options)();
      await runWithRetry(({ attempt }) => attempt, instant);
      expect(made).not.toHaveBeenCalled();

      await retry(() => {
        const context = currentAttempt();
        expect(context.signal).toBe(context.signal);
      }, options)();
      expect(made).toHaveBeenCalledTimes(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("aborts no signal while its attempt runs, nor after an attempt that nothing interrupted", async () => {
    const signals: AbortSignal[] = [];
    const load = retry(
      () => {
        signals.push(currentAttempt().signal);
        if (signals.length < 2) throw busy;
      },
      { ...instant, attemptTimeout: 1_000, clock: virtualClock() },
    );

    await load();

    expect(signals.map((signal) => signal.aborted)).toEqual([false, false]);
    expect(signals[0]).not.toBe(signals[1]);
  });

  it("aborts an attempt's signal with the AttemptTimeoutError that the attempt fails with", async () => {
    const signals: AbortSignal[] = [];
    const clock = virtualClock();
    const load = retry(
      () => {
        signals.push(currentAttempt().signal);
        return never();
      },
      { ...instant, attemptTimeout: 50, stop: () => true, clock },
    );

    const result = load().catch((error) => error);
    await clock.runAll();

    expect(signals[0]!.reason).toBe(await result);
    expect(signals[0]!.reason).toMatchObject({ name: "AttemptTimeoutError", attempt: 1, timeout: 50 });
  });

  it("aborts an attempt's signal with the TotalTimeoutError that the call ends in", async () => {
    const signals: AbortSignal[] = [];
    const clock = virtualClock();
    const load = retry(
      () => {
        signals.push(currentAttempt().signal);
        return never();
      },
      { totalTimeout: 50, clock },
    );

    const result = load().catch((error) => error);
    await clock.runAll();

    expect(signals[0]!.reason).toBe(await result);
    expect(signals[0]!.reason.name).toBe("TotalTimeoutError");
  });

  it("aborts an attempt's signal with the caller's reason", async () => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const load = retry(
      () => {
        signals.push(currentAttempt().signal);
        return never();
      },
      { signal: controller.signal },
    );

    const result = load();
    controller.abort("gone");

    await expect(result).rejects.toBe("gone");
    expect(signals[0]!.reason).toBe("gone");
  });

  it("makes a signal that is read late already aborted, with the reason", async () => {
    const controller = new AbortController();
    const contexts: AttemptContext[] = [];
    const load = retry(
      () => {
        contexts.push(currentAttempt());
        return never();
      },
      { signal: controller.signal },
    );

    const result = load();
    controller.abort("gone");
    await result.catch(() => {});

    expect(contexts[0]!.signal.aborted).toBe(true);
    expect(contexts[0]!.signal.reason).toBe("gone");
  });

  it("makes a signal aborted where the attempt itself caused the abort before it read it", async () => {
    const controller = new AbortController();
    const reasons: unknown[] = [];
    const load = retry(
      () => {
        controller.abort("gone");
        reasons.push(currentAttempt().signal.reason);
      },
      { signal: controller.signal },
    );

    await expect(load()).rejects.toBe("gone");
    expect(reasons).toEqual(["gone"]);
  });

  it("leaves the first attempt's signal as it is when a later one is abandoned", async () => {
    const contexts: AttemptContext[] = [];
    const clock = virtualClock();
    const load = retry(
      () => {
        contexts.push(currentAttempt());
        if (contexts.length === 1) throw busy;
        return never();
      },
      { ...instant, attemptTimeout: 50, stop: (state) => state.attempt === 2, clock },
    );

    const result = load().catch(() => {});
    await clock.runAll();
    await result;

    expect(contexts.map((context) => context.signal.aborted)).toEqual([false, true]);
  });

  it("lets the signal be taken out of the context", async () => {
    const load = retry(() => {
      const { signal } = currentAttempt();
      return signal instanceof AbortSignal;
    });

    expect(await load()).toBe(true);
  });

  it("rejects with the abort's reason although a listener on the attempt's signal throws", async () => {
    const controller = new AbortController();
    const reported: unknown[] = [];
    const report = (error: unknown) => reported.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", report);

    try {
      const load = retry(
        () => {
          currentAttempt().signal.addEventListener("abort", () => {
            throw busy;
          });
          return never();
        },
        { signal: controller.signal },
      );
      const result = load();
      controller.abort("gone");

      await expect(result).rejects.toBe("gone");
      await virtualClock().advance(0);
      expect(reported).toEqual([busy]);
    } finally {
      process.off("uncaughtException", report);
      for (const other of others) process.on("uncaughtException", other);
    }
  });
});
