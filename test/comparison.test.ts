import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as cockatiel from "cockatiel";
import { build } from "esbuild";
import * as pRetry from "p-retry";
import * as undaunted from "undaunted";
import { flaky } from "undaunted/testing";
import { afterEach, expect, it, vi } from "vitest";
import { NEWEST, newest, versionOf } from "./peers.js";

// The page docs/comparison.md says what these runs show: a row there is an experiment here, done with each library in
// turn, and a cell is what it answers.

type Fn = () => unknown;
type Call = () => Promise<unknown>;

interface Plan {
  readonly attempts: number;
  /** ms before each further attempt, 0 unless given. */
  readonly delay?: number;
  readonly signal?: AbortSignal;
}

/** What a library offers for each experiment, or what comes closest to it. */
interface Library {
  readonly exports: object;
  retried(fn: Fn, plan: Plan): Call;
  /** Retried, each attempt under a timeout. */
  timed(fn: Fn, ms: number): Call;
  /** Retried while the value is falsy. */
  polled(fn: Fn): Call;
  /** Retried under options among which `retires` stands, which means nothing. */
  misspelt(fn: Fn): Call;
  /** Makes a decorator. */
  decorator(): (...place: any[]) => any;
  /** Retried, a bulkhead for one call around a breaker that opens after 2 failures. */
  guarded?(fn: Fn): Call;
  /** Runs a function behind a breaker that opens after so many failures, for 10 s. */
  breaker?(failures: number): (fn: Fn) => Promise<unknown>;
  /** Code for a bundle that can retry with a backoff, and nothing else. */
  readonly smallest: string;
}

const aTypo = { retires: 1 };

const libraries: Record<string, Library> = {
  undaunted: {
    exports: undaunted,
    retried: (fn, { attempts, delay = 0, signal }) =>
      undaunted.retry(async () => fn(), {
        stop: undaunted.stopAfterAttempt(attempts),
        wait: undaunted.waitFixed(delay),
        ...(signal && { signal }),
      }),
    timed: (fn, ms) => undaunted.retry(async () => fn(), { attemptTimeout: ms, wait: undaunted.waitNone }),
    polled: (fn) =>
      undaunted.retry(async () => fn(), {
        retryIf: undaunted.retryIfNotResult((value) => Boolean(value)),
        wait: undaunted.waitNone,
      }),
    misspelt: (fn) => undaunted.retry(async () => fn(), aTypo as object),
    decorator: () => undaunted.Retry({ wait: undaunted.waitNone }),
    guarded(fn) {
      const slots = undaunted.bulkhead({ limit: 1 });
      const breaker = undaunted.circuitBreaker({ consecutiveFailures: 2, openFor: 10_000 });
      return undaunted.retry(slots.wrap(breaker.wrap(fn)), { stop: undaunted.stopAfterAttempt(3) });
    },
    breaker: (failures) => undaunted.circuitBreaker({ consecutiveFailures: failures, openFor: 10_000 }).run,
    smallest: 'export { retry } from "./src/index.ts";',
  },
  "p-retry": {
    exports: pRetry,
    retried: (fn, { attempts, delay = 0, signal }) =>
      pRetry.makeRetriable(fn, { retries: attempts - 1, minTimeout: delay, factor: 1, signal }),
    timed: (fn, ms) => pRetry.makeRetriable(fn, { maxRetryTime: ms, minTimeout: 0 }),
    polled: (fn) => pRetry.makeRetriable(fn, { shouldRetry: () => true, minTimeout: 0 }),
    misspelt: (fn) => pRetry.makeRetriable(fn, aTypo as object),
    decorator: () => pRetry.makeRetriable({ minTimeout: 0 } as never),
    smallest: 'export { default } from "p-retry";',
  },
  cockatiel: {
    exports: cockatiel,
    retried(fn, { attempts, delay = 0, signal }) {
      const backoff = new cockatiel.ConstantBackoff(delay);
      const policy = cockatiel.retry(cockatiel.handleAll, { maxAttempts: attempts - 1, backoff });
      return () => policy.execute(fn, signal);
    },
    timed(fn, ms) {
      const retries = cockatiel.retry(cockatiel.handleAll, { maxAttempts: 3 });
      const policy = cockatiel.wrap(retries, cockatiel.timeout(ms, cockatiel.TimeoutStrategy.Aggressive));
      return () => policy.execute(fn);
    },
    polled(fn) {
      const policy = cockatiel.retry(
        cockatiel.handleWhenResult((value) => !value),
        { maxAttempts: 3 },
      );
      return () => policy.execute(fn);
    },
    misspelt(fn) {
      const policy = cockatiel.retry(cockatiel.handleAll, aTypo as object);
      return () => policy.execute(fn);
    },
    decorator: () => cockatiel.usePolicy(cockatiel.retry(cockatiel.handleAll, { maxAttempts: 3 })),
    guarded(fn) {
      const breaker = new cockatiel.ConsecutiveBreaker(2);
      const policy = cockatiel.wrap(
        cockatiel.retry(cockatiel.handleAll, { maxAttempts: 3 }),
        cockatiel.bulkhead(1),
        cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: 10_000, breaker }),
      );
      return () => policy.execute(fn);
    },
    breaker(failures) {
      const breaker = new cockatiel.ConsecutiveBreaker(failures);
      const policy = cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: 10_000, breaker });
      return (fn) => policy.execute(fn);
    },
    smallest: 'export { retry, handleAll, ExponentialBackoff } from "cockatiel";',
  },
};

const busy = new Error("busy");
const down = () => flaky(Array.from({ length: 100 }, () => busy));
const DAY = 86_400_000;

const experiments: Record<string, (library: Library) => Promise<string>> = {
  async "calls made by three nested layers of 4 attempts"({ retried }) {
    vi.useFakeTimers();
    const server = down();
    const client = retried(server, { attempts: 4 });
    const repository = retried(client, { attempts: 4 });
    const service = retried(repository, { attempts: 4 });

    const error = errorOf(service());
    await vi.runAllTimersAsync();

    expect(await error).toBe(busy);
    return String(server.calls.length);
  },

  async "a wait of 30 days lasts"({ retried }) {
    // They fire a timer that does not fit into 31 bits after 1 ms, as runtimes do.
    vi.useFakeTimers();
    const calledAt: number[] = [];
    const load = flaky([busy, "ok"]);
    const call = retried(() => [calledAt.push(Date.now()), load()], { attempts: 2, delay: 30 * DAY });

    const ended = call();
    await vi.runAllTimersAsync();
    await ended;

    const [first = NaN, second = NaN] = calledAt;
    const lasted = second - first;
    return lasted < DAY ? `${lasted} ms` : `${Number((lasted / DAY).toFixed(1))} days`;
  },

  async "an abort during the wait"({ retried }) {
    vi.useFakeTimers();
    const load = down();
    const reason = new Error("enough");
    const controller = new AbortController();
    let error: unknown;

    retried(load, { attempts: 4, delay: 1_000, signal: controller.signal })().catch((thrown) => {
      error = thrown;
    });
    await vi.advanceTimersByTimeAsync(500);
    expect(load.calls).toHaveLength(1);
    controller.abort(reason);
    await vi.advanceTimersByTimeAsync(0);
    const rejectedWith = error;
    await vi.runAllTimersAsync();

    if (load.calls.length === 1 && rejectedWith === reason) return "rejects at once, with its reason";
    expect(rejectedWith).toBeUndefined();
    expect(error).toBe(busy);
    expect(load.calls).toHaveLength(2);
    return "waits on, then calls once more";
  },

  async "an attempt that hangs"({ timed }) {
    vi.useFakeTimers();
    const load = flaky([() => new Promise(() => {}), "ok"]);
    let value: unknown;

    timed(load, 1_000)().then((returned) => {
      value = returned;
    });
    await vi.advanceTimersByTimeAsync(DAY);

    if (value === "ok") return "can be timed out";
    expect(value).toBeUndefined();
    return "holds the call";
  },

  async "a returned value"({ polled }) {
    vi.useFakeTimers();
    const load = flaky([false, true]);

    const ended = polled(load)();
    await vi.runAllTimersAsync();

    return (await ended) ? "can be retried" : "is final";
  },

  async "what may be thrown, is retried and comes out unchanged"({ retried }) {
    vi.useFakeTimers();
    const unchanged = async (thrown: unknown) => {
      const outcome = { ok: false, error: thrown };
      const load = flaky([outcome, outcome]);
      const error = errorOf(retried(load, { attempts: 2 })());
      await vi.runAllTimersAsync();
      return load.calls.length === 2 && Object.is(await error, thrown);
    };

    expect(await unchanged(busy)).toBe(true);
    expect(await unchanged(new TypeError("fetch failed"))).toBe(true);
    const others = [new TypeError("load is not a function"), undefined, null, "text"];
    const answers = await Promise.all(others.map(unchanged));
    if (answers.every((each) => each)) return "anything";
    expect(answers).toEqual([false, false, false, false]);
    return "errors, not every `TypeError`";
  },

  async "a misspelt option, at run time"({ misspelt }) {
    try {
      await misspelt(flaky(["ok"]))();
      return "is ignored";
    } catch (error) {
      expect(String(error)).toContain("retires");
      return "throws";
    }
  },

  async decorators({ decorator }) {
    const standard = async () => {
      const load = flaky([busy, "ok"]);
      const context = { kind: "method", name: "load", static: false, private: false, addInitializer() {} };
      const method = await decorator()(async () => load(), context);
      return method();
    };
    const legacy = async () => {
      const load = flaky([busy, "ok"]);
      const prototype: { load?: Fn } = { load: async () => load() };
      const descriptor = Object.getOwnPropertyDescriptor(prototype, "load");
      const replaced = await decorator()(prototype, "load", descriptor);
      return Object.defineProperty(prototype, "load", replaced ?? descriptor).load?.();
    };
    const decorates = (run: Call) =>
      run().then(
        (value) => value === "ok",
        () => false,
      );

    const kinds = [
      ...((await decorates(standard)) ? ["TC39"] : []),
      ...((await decorates(legacy)) ? ["`experimentalDecorators`"] : []),
    ];
    return kinds.join(" and ") || "none";
  },

  async "circuit breaker and bulkhead"({ exports, guarded }) {
    vi.useFakeTimers();
    if (!("circuitBreaker" in exports || "bulkhead" in exports)) return "none";
    if (!guarded) return "there are some, and nobody has tried them here";
    const failing = down();
    const hanging = flaky([() => new Promise(() => {}), "a second call at the same time"]);
    const guardedHanging = guarded(hanging);

    const broken = errorOf(guarded(failing)());
    guardedHanging();
    const refused = errorOf(guardedHanging());
    await vi.runAllTimersAsync();

    expect(await broken).not.toBe(busy);
    expect(failing.calls).toHaveLength(2);
    expect(await refused).toBeInstanceOf(Error);
    expect(hanging.calls).toHaveLength(1);
    return "both";
  },

  async "20 calls that hang, behind a breaker"({ breaker }) {
    if (!breaker) return "–";
    vi.useFakeTimers();
    const run = breaker(5);
    for (let call = 0; call < 20; call++) run(() => new Promise(() => {})).catch(() => {});

    await vi.advanceTimersByTimeAsync(61_000);
    const next = await outcomeOf(run(() => "called"));

    return next === "called" ? "are never noticed" : "open it when their lease ends";
  },

  async "a probe that hangs"({ breaker }) {
    if (!breaker) return "–";
    vi.useFakeTimers();
    const run = breaker(1);
    await errorOf(run(() => Promise.reject(busy)));
    await vi.advanceTimersByTimeAsync(11_000);
    run(() => new Promise(() => {})).catch(() => {});

    await vi.advanceTimersByTimeAsync(DAY);
    const next = await outcomeOf(run(() => "called"));

    return next === "called" ? "frees its place when its lease ends" : "blocks the breaker for good";
  },

  async "a failure from before a breaker opened, once it is half-open"({ breaker }) {
    if (!breaker) return "–";
    vi.useFakeTimers();
    const run = breaker(1);
    let failLate: (error: Error) => void = () => {};
    const late = errorOf(run(() => new Promise((_, reject) => (failLate = reject))));
    await errorOf(run(() => Promise.reject(busy)));
    await vi.advanceTimersByTimeAsync(11_000);
    let succeed: (value: unknown) => void = () => {};
    const probe = run(() => new Promise((resolve) => (succeed = resolve)));

    failLate(busy);
    await late;
    succeed("well again");
    await probe;
    const next = await outcomeOf(run(() => "called"));

    return next === "called" ? "says nothing" : "opens it again";
  },

  async "`retry` alone, minified and gzipped"({ smallest }) {
    const { outputFiles } = await build({
      stdin: { contents: smallest, resolveDir: root },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      write: false,
      alias: newest ? NEWEST : {},
    });

    return `under ${Math.ceil(gzipSync(outputFiles[0]!.contents).length / 1_000)} kB`;
  },
};

const root = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(new URL("../docs/comparison.md", import.meta.url), "utf8");
// The section on HTTP has a table and a test of its own.
const [heads = [], , ...rows] = page
  .split("\n## Of HTTP")[0]!
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split("|").slice(1, -1))
  .map((cells) => cells.map((cell) => cell.trim()));
// Of a peer, the column of the version that is installed.
const columns = heads
  .map((head, index) => ({ library: head.split(" ")[0]!, version: head.split(" ")[1], index }))
  .filter(({ index, library, version }) => index > 0 && (version ? version === versionOf(library) : true));
const cells = rows.flatMap(([behaviour = "", ...answers]) =>
  columns.map(({ library, index }) => [behaviour, library, answers[index - 1]] as const),
);

afterEach(() => {
  vi.useRealTimers();
});

it("the table has a row for each experiment and a column for each library", () => {
  expect(rows.map(([behaviour]) => behaviour)).toEqual(Object.keys(experiments));
  expect(columns.map(({ library }) => library)).toEqual(Object.keys(libraries));
});

it("each column is of a version that is run, on Node 20 or on a newer one", () => {
  const heading = heads.slice(1).filter((head) => head.includes(" "));

  expect(heading).toHaveLength(2 * (columns.length - 1));
});

it.each(cells)("%s: the table tells the truth about %s", async (behaviour, library, cell) => {
  expect(await experiments[behaviour]!(libraries[library]!)).toBe(cell);
});

/** What a promise settles with, if it does without waiting for anything. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = "pending";
  promise.then(
    (value) => {
      outcome = value;
    },
    () => {
      outcome = "refused";
    },
  );
  await vi.advanceTimersByTimeAsync(0);
  return outcome;
}

function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("it was to reject"),
    (error) => error,
  );
}
