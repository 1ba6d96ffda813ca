import { bulkhead, circuitBreaker, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { type Opening, retryIterable } from "undaunted/iterable";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

async function* three() {
  yield* [1, 2, 3];
}

describe("a bulkhead among the guards of a stream", () => {
  it("holds its slot from the opening to the end", async () => {
    const slots = bulkhead({ limit: 1 });
    const stream = retryIterable(three, { guards: [slots] });

    const counts = [slots.inFlight];
    for (let n = 0; n < 4; n++) {
      await stream.next();
      counts.push(slots.inFlight);
    }

    expect(counts).toEqual([0, 1, 1, 1, 0]);
  });

  it("gives the slot back when the consumer leaves", async () => {
    const slots = bulkhead({ limit: 1 });
    const stream = retryIterable(three, { guards: [slots] });
    await stream.next();

    await stream.return(undefined);

    expect(slots.inFlight).toBe(0);
  });

  it("that is full lets the next stream wait for its turn, and one that left meanwhile is not opened", async () => {
    const slots = bulkhead({ limit: 1, queue: 2 });
    const opened: string[] = [];
    const streamOf = (name: string) =>
      retryIterable(
        () => {
          opened.push(name);
          return three();
        },
        { guards: [slots] },
      );
    const [first, left, last] = [streamOf("first"), streamOf("left"), streamOf("last")];
    await first.next();
    const pulls = [left.next(), last.next()];

    await left.return(undefined);
    await first.return(undefined);

    expect(await Promise.all(pulls)).toEqual([
      { done: true, value: undefined },
      { done: false, value: 1 },
    ]);
    expect(opened).toEqual(["first", "last"]);
    await last.return(undefined);
    expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
  });

  it("that is wrapped around open is done when open has returned", async () => {
    const slots = bulkhead({ limit: 1 });
    const stream = retryIterable(slots.wrap(async () => three()));

    await stream.next();

    expect(slots.inFlight).toBe(0);
  });
});

describe("a breaker among the guards of a stream", () => {
  const failing = async function* () {
    yield 1;
    throw new Error("cut");
  };

  it("counts a source by its end", async () => {
    const breaker = circuitBreaker({ consecutiveFailures: 2, openFor: 1_000 });
    const stream = retryIterable(failing, { guards: [breaker], stop: stopAfterAttempt(2), wait: waitNone });

    await stream.next();
    await stream.next();
    const afterOne = breaker.state;
    // The second source fails: the breaker opens, and refuses the third.
    await expect(stream.next()).rejects.toMatchObject({ code: "ERR_CIRCUIT_OPEN" });

    expect(afterOne).toBe("closed");
    expect(breaker.state).toBe("open");
  });

  it("counts a source that takes too long as a failure, and one that the consumer leaves as a success", async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ consecutiveFailures: 1, openFor: 1_000, clock });
    const quiet = async function* ({ signal }: Opening<number>) {
      yield 1;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    const options = { guards: [breaker], attemptTimeout: 100, stop: stopAfterAttempt(1), clock };

    const left = retryIterable(quiet, options);
    await left.next();
    await left.return(undefined);
    const afterLeaving = breaker.state;
    const slow = retryIterable(quiet, options);
    await slow.next();
    const next = slow.next().catch((error: unknown) => error);
    await clock.advance(100);

    expect(await next).toMatchObject({ name: "AttemptTimeoutError" });
    expect([afterLeaving, breaker.state]).toEqual(["closed", "open"]);
  });
});

describe("a source under guards", () => {
  it("fails as its own error says where it cannot be opened", async () => {
    const cannot = new Error("cannot open");
    const slots = bulkhead({ limit: 1 });
    const breaker = circuitBreaker({ consecutiveFailures: 5 });
    const open = vi
      .fn()
      .mockImplementationOnce(() => {
        throw cannot;
      })
      .mockRejectedValueOnce(cannot);

    const stream = retryIterable(open, { guards: [slots, breaker], stop: stopAfterAttempt(2), wait: waitNone });

    await expect(stream.next()).rejects.toBe(cannot);
    expect(open).toHaveBeenCalledTimes(2);
    expect(slots.inFlight).toBe(0);
    expect(breaker.stats.failures).toBe(2);
  });

  it("is closed where it was opened too late", async () => {
    const clock = virtualClock();
    const closed = vi.fn();
    const slots = bulkhead({ limit: 1 });
    const open = async () => {
      await new Promise<void>((resolve) => clock.setTimer(resolve, 500));
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: 1 }),
          return: async () => {
            closed();
            return { done: true as const, value: undefined };
          },
        }),
      };
    };
    const stream = retryIterable(open, {
      guards: [slots],
      attemptTimeout: 100,
      closeTimeout: 50,
      wait: waitFixed(10),
      stop: stopAfterAttempt(1),
      clock,
    });

    const next = stream.next().catch((error: unknown) => error);
    await clock.advance(150);
    const error = await next;
    const before = closed.mock.calls.length;
    await clock.advance(500);

    expect(error).toMatchObject({ name: "AttemptTimeoutError" });
    expect([before, closed.mock.calls.length]).toEqual([0, 1]);
    expect([slots.inFlight, clock.pending]).toEqual([0, 0]);
  });
});
