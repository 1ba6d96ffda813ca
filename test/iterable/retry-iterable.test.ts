import {
  NonRetryableError,
  retryBudget,
  retryIfErrorType,
  retryIfResult,
  stopAfterAttempt,
  TryAgainError,
  waitExponential,
  waitFixed,
  waitNone,
} from "undaunted";
import { type Opening, retryIterable } from "undaunted/iterable";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

/** A source that counts from where the last one broke, in pieces of `size`, up to `end`; `log` is what happened to it. */
function counting(size: number, end: number, log: string[] = []) {
  return async function* ({ last = 0, attempt }: Opening<number>): AsyncGenerator<number> {
    log.push(`open ${attempt} after ${last}`);
    try {
      for (let n = last + 1; n <= end; n++) {
        if (n > last + size) throw new Error(`cut after ${last + size}`);
        yield n;
      }
    } finally {
      log.push("closed");
    }
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A source with one step after the other: an item, or an error to throw. */
function scripted(...openings: (number | Error)[][]) {
  return async function* () {
    for (const step of openings.shift() ?? []) {
      if (step instanceof Error) throw step;
      yield step;
    }
  };
}

describe("a stream that breaks", () => {
  it("is opened again with the last item that got through, until its source ends", async () => {
    const log: string[] = [];

    const items = await collect(retryIterable(counting(2, 5, log), { wait: waitNone }));

    expect(items).toEqual([1, 2, 3, 4, 5]);
    expect(log).toEqual(["open 1 after 0", "closed", "open 2 after 2", "closed", "open 2 after 4", "closed"]);
  });

  it("says how many items got through, and opens nothing before the first is asked for", async () => {
    const openings: unknown[] = [];
    const cut = new Error("cut");
    const source = scripted([7, cut], [cut], [8]);

    const stream = retryIterable(
      (opening: Opening<number>) => {
        openings.push([opening.attempt, opening.last, opening.count]);
        return source();
      },
      { wait: waitNone },
    );
    const before = openings.length;
    await collect(stream);

    expect(before).toBe(0);
    expect(openings).toEqual([
      [1, undefined, 0],
      [2, 7, 1],
      [3, 7, 1],
    ]);
  });

  it("rejects with the source's own error when stop says so: attempts in a row without an item are counted", async () => {
    const errors = [1, 2, 3, 4].map((n) => new Error(`cut ${n}`));
    const [a, b, c, d] = errors as [Error, Error, Error, Error];
    const seen: number[] = [];

    const stream = retryIterable(scripted([1, a], [2, b], [c], [d], [3]), {
      stop: stopAfterAttempt(3),
      wait: waitNone,
    });
    const reading = (async () => {
      for await (const item of stream) seen.push(item);
    })();

    await expect(reading).rejects.toBe(d);
    expect(seen).toEqual([1, 2]);
    expect(stream.stats).toEqual({ calls: 1, attempts: 4, retries: 3, successes: 0, failures: 1, idle: 0 });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it("counts attempts over the whole stream where an item does not begin them anew", async () => {
    const cut = new Error("cut");
    const delays: number[] = [];

    const stream = retryIterable(scripted([1, cut], [2, cut], [3, cut], [4]), {
      stop: stopAfterAttempt(3),
      wait: ({ attempt }) => attempt,
      resetOnItem: false,
      onRetry: ({ attempt, delay, previousDelay, idle }) => delays.push(attempt, delay, previousDelay, idle),
    });

    await expect(collect(stream)).rejects.toBe(cut);
    expect(delays).toEqual([1, 1, 0, 0, 2, 2, 1, 1]);
  });

  it("begins the backoff anew with each item", async () => {
    const clock = virtualClock();
    const cut = new Error("cut");
    const delays: number[] = [];

    const stream = retryIterable(scripted([1, cut], [cut], [2, cut], [3]), {
      wait: waitExponential({ base: 100 }),
      onReopen: ({ last, count, delay }) => delays.push(last!, count, delay),
      clock,
    });
    const items = collect(stream);
    await clock.runAll();

    expect(await items).toEqual([1, 2, 3]);
    expect(delays).toEqual([1, 1, 100, 1, 1, 200, 2, 2, 100]);
    expect(stream.stats.idle).toBe(400);
  });

  it("is not opened again after a NonRetryableError, or what retryIf does not want", async () => {
    const fatal = new NonRetryableError("gone");
    const other = new RangeError("no");

    await expect(collect(retryIterable(scripted([1, fatal], [2]), { wait: waitNone }))).rejects.toBe(fatal);
    await expect(
      collect(retryIterable(scripted([1, other], [2]), { wait: waitNone, retryIf: retryIfErrorType(TypeError) })),
    ).rejects.toBe(other);
  });

  it("ends where its source ends, unless that throws a TryAgainError", async () => {
    const again = new TryAgainError({ after: 0 });

    expect(await collect(retryIterable(scripted([1], [2])))).toEqual([1]);
    expect(await collect(retryIterable(scripted([1, again], [2])))).toEqual([1, 2]);
  });

  it("hands on what its source returns at the end", async () => {
    const stream = retryIterable(async function* () {
      yield 1;
      return "the end";
    });

    expect(await stream.next()).toEqual({ done: false, value: 1 });
    expect(await stream.next()).toEqual({ done: true, value: "the end" });
  });
});

describe("what open may return", () => {
  it.each([
    ["an array", () => [1, 2]],
    ["a promise of an async iterable", async () => scripted([1, 2])()],
    ["a web stream", () => (ReadableStream as any).from([1, 2])],
    [
      "a web stream that cannot be iterated",
      () =>
        Object.create((ReadableStream as any).from([1, 2]), {
          [Symbol.asyncIterator]: { value: undefined },
          getReader: { value: () => (ReadableStream as any).from([1, 2]).getReader() },
        }),
    ],
  ])("is read from: %s", async (_, open) => {
    expect(await collect(retryIterable<number>(open as any))).toEqual([1, 2]);
  });

  it.each([undefined, 5, "text", {}])("is refused and not retried: %j", async (returned) => {
    const open = vi.fn(() => returned as any);

    await expect(collect(retryIterable(open, { wait: waitNone }))).rejects.toThrow(
      /^open must return an async iterable, or a promise of one, got /,
    );
    expect(open).toHaveBeenCalledTimes(1);
  });
});

describe("a consumer", () => {
  it("that leaves closes the source and waits for it", async () => {
    const log: string[] = [];

    for await (const n of retryIterable(counting(9, 9, log))) if (n === 2) break;

    expect(log).toEqual(["open 1 after 0", "closed"]);
  });

  it("gets what the source throws while it closes", async () => {
    const broken = new Error("cannot close");
    const stream = retryIterable(async function* () {
      try {
        yield 1;
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: that is what is tried
        throw broken;
      }
    });
    await stream.next();

    await expect(stream.return(undefined)).rejects.toBe(broken);
  });

  it("that leaves in the midst of a read ends that read and aborts the source's signal", async () => {
    const aborted = vi.fn();
    const clock = virtualClock();
    const stream = retryIterable(
      async function* ({ signal }: Opening<number>) {
        await new Promise((_, reject) => signal.addEventListener("abort", () => aborted(reject(signal.reason))));
        yield 1;
      },
      { clock },
    );

    const read = stream.next();
    await clock.advance(0);
    const left = stream.return("bye");

    expect(await left).toEqual({ done: true, value: "bye" });
    expect(await read).toEqual({ done: true, value: undefined });
    expect(aborted).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
    expect(stream.stats).toMatchObject({ calls: 1, attempts: 1, successes: 0, failures: 0 });
  });

  it("is alone: a second one is refused", () => {
    const stream = retryIterable(scripted([1]));
    stream[Symbol.asyncIterator]();

    expect(() => stream[Symbol.asyncIterator]()).toThrow("this stream has a consumer already");
  });

  it("may ask for several items at once: they come in order, and none is read before its turn", async () => {
    let reading = 0;
    let most = 0;
    let n = 0;
    const stream = retryIterable(() => ({
      [Symbol.asyncIterator]: () => ({
        async next() {
          most = Math.max(most, ++reading);
          await null;
          reading--;
          return n === 3 ? { done: true, value: undefined } : { done: false, value: ++n };
        },
      }),
    }));

    const results = await Promise.all([stream.next(), stream.next(), stream.next(), stream.next(), stream.next()]);

    expect(results.map(({ value }) => value)).toEqual([1, 2, 3, undefined, undefined]);
    expect(most).toBe(1);
  });

  it("that throws into the stream closes it and gets its own error back", async () => {
    const log: string[] = [];
    const stream = retryIterable(counting(9, 9, log));
    const mine = new Error("mine");
    await stream.next();

    await expect(stream.throw(mine)).rejects.toBe(mine);
    expect(log).toEqual(["open 1 after 0", "closed"]);
  });
});

describe("time", () => {
  const hanging = (log: string[]) =>
    async function* ({ attempt, signal }: Opening<number>) {
      log.push(`open ${attempt}`);
      try {
        yield attempt;
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      } finally {
        log.push("closed");
      }
    };

  it("is given to each item: a source that takes longer is closed and opened again", async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const stream = retryIterable(hanging(log), { attemptTimeout: 100, wait: waitFixed(10), clock });

    await stream.next();
    await clock.advance(5_000);
    const next = stream.next();
    await clock.advance(110);

    expect(await next).toEqual({ done: false, value: 2 });
    expect(log).toEqual(["open 1", "closed", "open 2"]);
  });

  it("of the whole stream ends it with a TotalTimeoutError, in the midst of a read", async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const onGiveUp = vi.fn();
    const stream = retryIterable(hanging(log), { totalTimeout: 1_000, clock, onGiveUp });

    await stream.next();
    await clock.advance(600);
    const next = stream.next().catch((error: unknown) => error);
    await clock.advance(400);

    expect(await next).toMatchObject({ name: "TotalTimeoutError", timeout: 1_000 });
    expect(log).toEqual(["open 1", "closed"]);
    expect(clock.pending).toBe(0);
    expect(onGiveUp.mock.calls).toMatchObject([[{ reason: "deadline", elapsed: 400 }]]);
  });

  it("of the whole stream closes the source also while nobody asks for an item", async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const stream = retryIterable(hanging(log), { totalTimeout: 1_000, clock });

    await stream.next();
    await clock.advance(1_000);
    const closed = [...log];

    expect(closed).toEqual(["open 1", "closed"]);
    await expect(stream.next()).rejects.toThrow("the total timeout of 1000 ms");
    expect(log).toEqual(closed);
    expect(clock.pending).toBe(0);
  });

  it("of a source that does not close is bounded", async () => {
    const clock = virtualClock();
    const stream = retryIterable(
      async function* () {
        yield 1;
        await new Promise(() => {});
      },
      { clock, closeTimeout: 50 },
    );
    await stream.next();
    const read = stream.next();

    const left = stream.return(undefined);
    await clock.advance(50);

    expect(await left).toEqual({ done: true, value: undefined });
    expect(await read).toEqual({ done: true, value: undefined });
    expect(clock.pending).toBe(0);
  });

  it("that is up aborts the source's signal before retryIf is asked", async () => {
    const clock = virtualClock();
    let signal!: AbortSignal;
    const aborted: unknown[] = [];
    const stream = retryIterable(
      (opening: Opening<number>) => {
        signal = opening.signal;
        return { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
      },
      {
        clock,
        attemptTimeout: 100,
        retryIf: (error) => {
          aborted.push(signal.aborted, signal.reason === error);
          return false;
        },
      },
    );

    const next = stream.next().catch((error: unknown) => error);
    await clock.advance(100);

    expect(await next).toMatchObject({ name: "AttemptTimeoutError" });
    expect(aborted).toEqual([true, true]);
  });

  it("that is up while onReopen goes on opens nothing", async () => {
    const clock = virtualClock();
    const open = vi.fn(() => {
      throw new Error("cannot open");
    });
    const stream = retryIterable(open as never, {
      clock,
      attemptTimeout: 100,
      stop: stopAfterAttempt(2),
      wait: waitNone,
      onReopen: () => new Promise<void>((resolve) => clock.setTimer(resolve, 200)),
    });

    const next = stream.next().catch((error: unknown) => error);
    await clock.advance(300);

    expect(await next).toMatchObject({ name: "AttemptTimeoutError" });
    expect(open).toHaveBeenCalledTimes(1);
  });

  it("of strategies is that since the item was asked for", async () => {
    const clock = virtualClock();
    const elapsed: number[] = [];
    const cut = new Error("cut");
    const stream = retryIterable(scripted([1, cut], [cut], [2]), {
      clock,
      totalTimeout: 60_000,
      wait: waitFixed(10),
      onRetry: (state) => elapsed.push(state.elapsed),
    });

    await stream.next();
    await clock.advance(5_000);
    const next = stream.next();
    await clock.advance(20);
    await next;

    expect(elapsed).toEqual([0, 10]);
  });
});

describe("an abort", () => {
  it("ends the read in progress with its reason and closes the source", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const log: string[] = [];
    const stream = retryIterable(
      async function* ({ signal }: Opening<number>) {
        try {
          yield 1;
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        } finally {
          log.push("closed");
        }
      },
      { signal: controller.signal },
    );
    await stream.next();

    const read = stream.next();
    controller.abort(reason);

    await expect(read).rejects.toBe(reason);
    expect(log).toEqual(["closed"]);
  });

  it("closes the source also while nobody asks for an item", async () => {
    const controller = new AbortController();
    const log: string[] = [];
    const stream = retryIterable(counting(9, 9, log), { signal: controller.signal });
    await stream.next();

    controller.abort(new Error("enough"));
    await vi.waitFor(() => expect(log).toEqual(["open 1 after 0", "closed"]));

    await expect(stream.next()).rejects.toThrow("enough");
  });

  it("during the sleep leaves no timer", async () => {
    const controller = new AbortController();
    const clock = virtualClock();
    const stream = retryIterable(scripted([new Error("cut")]), { signal: controller.signal, clock });

    const read = stream.next();
    await clock.advance(0);
    controller.abort(new Error("enough"));

    await expect(read).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
  });
});

describe("the budget of a stream", () => {
  it("is drawn on by each opening but the first, and paid by the end", async () => {
    const cut = new Error("cut");
    const budget = {
      acquire: vi.fn(() => 1),
      recordSuccess: vi.fn(),
      refund: vi.fn(),
      balance: 9,
    };

    await collect(retryIterable(scripted([1, cut], [2, cut], [3]), { wait: waitNone, budget }));

    expect(budget.acquire).toHaveBeenCalledTimes(2);
    expect(budget.recordSuccess.mock.calls).toMatchObject([[1, { outcome: { error: cut } }, []]]);
    expect(budget.refund).not.toHaveBeenCalled();
  });

  it("that is empty ends the stream in the source's error", async () => {
    const cut = new Error("cut");
    const budget = { ...retryBudget(), acquire: () => 0 };

    await expect(collect(retryIterable(scripted([1, cut], [2]), { budget }))).rejects.toBe(cut);
  });
});

describe("hooks", () => {
  it("hear of openings, retries and the end", async () => {
    const heard: string[] = [];
    const cut = new Error("cut");

    await collect(
      retryIterable(scripted([1, 2, cut], [3]), {
        name: "feed",
        wait: waitNone,
        onAttempt: ({ name, attempt }) => heard.push(`attempt ${attempt} of ${name}`),
        onRetry: ({ attempt }) => heard.push(`retry after ${attempt}`),
        onReopen: ({ last, count }) => heard.push(`reopen after ${last}, ${count}`),
        onSuccess: ({ attempt, outcome }) => heard.push(`success ${attempt} ${outcome.ok && outcome.value}`),
      }),
    );

    expect(heard).toEqual([
      "attempt 1 of feed",
      "retry after 1",
      "attempt 2 of feed",
      "reopen after 2, 2",
      "success 2 undefined",
    ]);
  });
});

describe("an option of a stream", () => {
  it.each([
    [{ fallback: () => 1 }, 'retryIterable: there is no option "fallback"'],
    [{ retryIf: retryIfResult(() => true) }, "retryIterable: retryIf must be a predicate that is asked about errors"],
    [{ closeTimeout: -1 }, "retryIterable: closeTimeout must be a number of ms from 0, got -1"],
    [{ guards: [1] }, "retryIterable: guards must be an array of bulkheads or breakers, got [1]"],
    [{ resetOnItem: 1 }, "retryIterable: resetOnItem must be true or false, got 1"],
    [() => ({}), "retryIterable: options must be an object, got a function"],
  ])("that makes no sense is refused at once: %o", (options, message) => {
    expect(() => retryIterable(scripted([1]), options as any)).toThrow(message);
  });
});
