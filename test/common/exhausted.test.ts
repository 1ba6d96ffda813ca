import {
  NonRetryableError,
  type RetryState,
  retry,
  retryIfErrorType,
  retryIfResult,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  TryAgainError,
  throwRetryExhausted,
  waitFixed,
} from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

/** A function that counts its calls and throws what `make` makes. */
function dead(make: () => unknown) {
  const fn = (): unknown => {
    fn.calls++;
    throw make();
  };
  fn.calls = 0;
  return fn;
}

const down = () => new Error("down");

describe.each(bothLoops)("retries do not multiply under %s", (_name, wrap) => {
  it("calls a function 4 times, not 64, through three nested default policies", async () => {
    const call = dead(down);
    const bottom = retrySync(call, instant);
    const middle = retrySync(() => bottom(), instant);
    const top = wrap(() => middle(), instant);

    await expect(top()).rejects.toThrow("down");
    expect(call.calls).toBe(4);
  });

  it("finds an exhausted error among the causes where a layer between wraps it", async () => {
    const call = dead(down);
    const inner = retrySync(call, instant);
    const outer = wrap(() => {
      try {
        inner();
      } catch (cause) {
        throw new Error("service failed", { cause: new Error("repository failed", { cause }) });
      }
    }, instant);

    await expect(outer()).rejects.toThrow("service failed");
    expect(call.calls).toBe(4);
  });

  it("looks for an exhausted error down to the tenth cause and no deeper", async () => {
    const wrapped = (depth: number) => {
      const call = dead(down);
      const inner = retrySync(call, instant);
      const outer = wrap(() => {
        try {
          inner();
        } catch (error) {
          let cause = error;
          for (let level = 0; level < depth; level++) cause = new Error(`level ${level}`, { cause });
          throw cause;
        }
      }, instant);
      return { call, outer };
    };
    const ten = wrapped(10);
    const eleven = wrapped(11);

    await ten.outer().catch(() => {});
    await eleven.outer().catch(() => {});

    expect(ten.call.calls).toBe(4);
    expect(eleven.call.calls).toBe(16);
  });

  it("survives causes in a cycle", async () => {
    const error = new Error("round");
    error.cause = error;
    const call = dead(() => error);

    await expect(wrap(call, instant)()).rejects.toBe(error);
    expect(call.calls).toBe(4);
  });

  it("retries an exhausted error where the outer policy asks for it with retryExhausted", async () => {
    const call = dead(down);
    const outer = wrap(retrySync(call, instant), { ...instant, retryExhausted: true });

    await expect(outer()).rejects.toThrow("down");
    expect(call.calls).toBe(16);
  });

  it("shows every strategy in state.exhausted that an inner run gave up", async () => {
    const seen: boolean[] = [];
    const inner = retrySync(dead(down), { ...instant, stop: stopAfterAttempt(1) });
    const retryIf = (_error: unknown, state: RetryState) => {
      seen.push(state.exhausted);
      return true;
    };
    let attempt = 0;
    const outer = wrap(
      () => {
        if (++attempt === 1) inner();
        throw down();
      },
      { ...instant, retryIf, retryExhausted: true, stop: stopAfterAttempt(2) },
    );

    await outer().catch(() => {});

    expect(seen).toEqual([true, false]);
  });

  it("gives up for the reason exhausted where an inner run stopped", async () => {
    const reasons: string[] = [];
    const outer = wrap(retrySync(dead(down), instant), {
      ...instant,
      onGiveUp: (state) => reasons.push(state.reason),
    });

    await outer().catch(() => {});

    expect(reasons).toEqual(["exhausted"]);
  });

  it("does not retry a NonRetryableError of an inner run, with its cause and without", async () => {
    const cause = down();
    const withCause = dead(() => new NonRetryableError("no", { cause }));
    const without = dead(() => new NonRetryableError("no"));

    await expect(wrap(retrySync(withCause, instant), instant)()).rejects.toBe(cause);
    await expect(wrap(retrySync(without, instant), instant)()).rejects.toThrow("no");

    expect(withCause.calls).toBe(1);
    expect(without.calls).toBe(1);
  });

  it("does not retry a NonRetryableError of an inner run even where the outer one asks for exhausted errors", async () => {
    const cause = down();
    const call = dead(() => new NonRetryableError("no", { cause }));
    const reasons: string[] = [];
    const options = { ...instant, retryExhausted: true };
    const outer = wrap(
      retrySync(() => retrySync(call, instant)(), options),
      {
        ...options,
        onGiveUp: (state) => reasons.push(state.reason),
      },
    );

    await expect(outer()).rejects.toBe(cause);
    expect(call.calls).toBe(1);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("does not retry an AggregateError all of whose errors exhausted an inner run, and only then", async () => {
    const first = dead(down);
    const second = dead(down);
    const errorOf = (fn: () => unknown) => {
      try {
        return retrySync(fn, instant)();
      } catch (error) {
        return error;
      }
    };
    const both = wrap(() => {
      throw new AggregateError([first, second].map(errorOf));
    }, instant);
    const one = dead(() => new AggregateError([errorOf(dead(down)), down()]));

    await both().catch(() => {});
    await wrap(one, instant)().catch(() => {});

    expect([first.calls, second.calls]).toEqual([4, 4]);
    expect(one.calls).toBe(4);
  });

  it("retries another class's error that keeps exhausted errors in a field of that name", async () => {
    const inner = dead(down);
    const outer = wrap(() => {
      try {
        return retrySync(inner, instant)();
      } catch (error) {
        throw Object.assign(new Error("several"), { errors: [error] });
      }
    }, instant);

    await outer().catch(() => {});

    expect(inner.calls).toBe(16);
  });

  it("survives an AggregateError that contains itself", async () => {
    const round = new AggregateError([]);
    round.errors.push(round);
    const call = dead(() => round);

    await expect(wrap(call, instant)()).rejects.toBe(round);
    expect(call.calls).toBe(4);
  });

  it("does not retry a thrown function that exhausted an inner run", async () => {
    const call = dead(() => down);

    await expect(wrap(retrySync(call, instant), instant)()).rejects.toBe(down);
    expect(call.calls).toBe(4);
  });

  it("lets the outer run judge an error that an inner run did not want to retry", async () => {
    const call = dead(down);
    const inner = retrySync(call, { ...instant, retryIf: retryIfErrorType(RangeError) });

    await wrap(inner, instant)().catch(() => {});

    expect(call.calls).toBe(4);
  });

  it("does not retry what an inner fallback throws", async () => {
    const call = dead(down);
    const inner = retrySync(call, {
      ...instant,
      fallback: () => {
        throw new Error("no cache either");
      },
    });

    await expect(wrap(inner, instant)()).rejects.toThrow("no cache either");
    expect(call.calls).toBe(4);
  });

  it("does not retry the RetryExhaustedError of an inner run, asked for or of an unwanted value", async () => {
    const failing = dead(down);
    const poll = flaky(Array.from({ length: 16 }, () => "pending"));

    await wrap(retrySync(failing, { ...instant, fallback: throwRetryExhausted }), instant)().catch(() => {});
    await wrap(retrySync(poll, { ...instant, retryIf: retryIfResult(() => true) }), instant)().catch(() => {});

    expect(failing.calls).toBe(4);
    expect(poll.calls).toHaveLength(4);
  });

  it("retries an exhausted error that the function wraps in a TryAgainError", async () => {
    const call = dead(down);
    const inner = retrySync(call, { ...instant, stop: stopAfterAttempt(2) });
    const outer = wrap(
      () => {
        try {
          return inner();
        } catch (cause) {
          throw new TryAgainError({ cause });
        }
      },
      { ...instant, stop: stopAfterAttempt(3) },
    );

    await expect(outer()).rejects.toThrow("down");
    expect(call.calls).toBe(6);
  });

  it("does not retry a TryAgainError that itself exhausted the inner run", async () => {
    const call = dead(() => new TryAgainError());

    await wrap(retrySync(call, instant), instant)().catch(() => {});

    expect(call.calls).toBe(4);
  });

  it("retries an error that exhausted an earlier run, not inside this attempt", async () => {
    const shared = down();
    const call = dead(() => shared);
    expect(retrySync(call, { ...instant, fallback: (state) => state.error })()).toBe(shared);
    expect(() => retrySync(call, instant)()).toThrow(shared);
    call.calls = 0;

    await wrap(call, instant)().catch(() => {});

    expect(call.calls).toBe(4);
  });
});

describe("retries of calls that overlap", () => {
  it("retries each of five unrelated calls that throw one shared error", async () => {
    const shared = down();
    const calls = Array.from({ length: 5 }, () => dead(() => shared));
    const clock = virtualClock();

    const results = Promise.allSettled(calls.map((call) => retry(call, { clock, wait: waitFixed(10) })()));
    await clock.runAll();
    await results;

    expect(calls.map((call) => call.calls)).toEqual([4, 4, 4, 4, 4]);
  });

  it("misjudges a singleton error that exhausts an unrelated run meanwhile, and retryExhausted is the way out", async () => {
    const shared = down();
    const outerAttempts = async (retryExhausted: boolean) => {
      let calls = 0;
      const outer = retry(
        async () => {
          calls++;
          // An unrelated call that begins while this attempt runs and gives up on the very same object.
          await runWithRetry(
            dead(() => shared),
            instant,
          ).catch(() => {});
          throw shared;
        },
        { ...instant, retryExhausted },
      );
      await outer().catch(() => {});
      return calls;
    };

    expect(await outerAttempts(false)).toBe(1);
    expect(await outerAttempts(true)).toBe(4);
  });

  it("does not multiply retries although an older run outside gives up on the same error last", async () => {
    const shared = down();
    const once = { ...instant, stop: stopAfterAttempt(1) };
    let failOutside = (_error: unknown) => {};
    const outside = runWithRetry(
      () =>
        new Promise((_, reject) => {
          failOutside = reject;
        }),
      once,
    );
    let calls = 0;
    const outer = runWithRetry(async () => {
      calls++;
      await runWithRetry(
        dead(() => shared),
        once,
      ).catch(() => {});
      failOutside(shared);
      await outside.catch(() => {});
      throw shared;
    }, instant);

    await expect(outer).rejects.toBe(shared);
    expect(calls).toBe(1);
  });

  it("misjudges the other way where attempts join a flight that began before them", async () => {
    const bottom = dead(down);
    const flight = runWithRetry(bottom, instant);
    flight.catch(() => {});
    let calls = 0;

    await runWithRetry(() => {
      calls++;
      return flight;
    }, instant).catch(() => {});

    expect(bottom.calls).toBe(4);
    expect(calls).toBe(4);
  });

  it("multiplies retries where a primitive is thrown, since it cannot be tracked", async () => {
    const call = dead(() => "down");

    await runWithRetry(() => runWithRetry(call, instant), instant).catch(() => {});

    expect(call.calls).toBe(16);
  });
});
