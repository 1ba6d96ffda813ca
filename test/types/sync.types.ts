import { type RetryStats, retrySync, runWithRetrySync, type SyncRetryOptions } from "undaunted";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

it("is of the sync function's own type", () => {
  const parse = (text: string, ...more: number[]): number => text.length + more.length;
  const retried = retrySync(parse);

  const same: typeof parse = retried;
  expectTypeOf(same).toEqualTypeOf(parse);
  expectTypeOf(retried("a", 1)).toEqualTypeOf<number>();
  expectTypeOf(retried.stats).toEqualTypeOf<RetryStats>();
  // @ts-expect-error the counters' object is the library's
  retried.stats = retrySync(() => 1).stats;
  expectTypeOf(retried.with({}).with({})("a")).toEqualTypeOf<number>();
  // @ts-expect-error the fallback must return a number
  retried.with({ fallback: () => "a" });

  const identity = <T>(value: T): T => value;
  expectTypeOf(retrySync(identity)("a" as const)).toEqualTypeOf<"a">();

  function read(path: string): Uint8Array;
  function read(path: string, encoding: "utf8"): string;
  function read(path: string, encoding?: "utf8"): Uint8Array | string {
    return encoding ? path : new Uint8Array();
  }
  expectTypeOf(retrySync(read)("a", "utf8")).toEqualTypeOf<string>();
  expectTypeOf(retrySync(read)("a")).toEqualTypeOf<Uint8Array>();
});

it("gives an options function the call's `this` and arguments", () => {
  class Tenant {
    readonly limit = 3;
  }
  function load(this: Tenant, id: string): string {
    return id + this.limit;
  }

  retrySync(load, function (id) {
    expectTypeOf(this).toEqualTypeOf<Tenant>();
    expectTypeOf(id).toEqualTypeOf<string>();
    return { name: id, stop: (state) => state.attempt >= this.limit, fallback: () => id };
  });
  // @ts-expect-error the fallback must return a string
  retrySync(load, () => ({ fallback: () => 1 }));
});

it("refuses what returns a promise, or may", () => {
  // @ts-expect-error an async function
  retrySync(async () => 1);
  // @ts-expect-error a function that returns a promise
  retrySync((id: string) => Promise.resolve(id));
  // @ts-expect-error a function that returns a promise now and then
  retrySync((id: string): string | Promise<string> => id);
  // @ts-expect-error a function that returns any thenable
  retrySync((id: string): PromiseLike<string> => Promise.resolve(id));
  // @ts-expect-error an async block
  runWithRetrySync(async () => 1);
  // @ts-expect-error a block that returns a promise now and then
  runWithRetrySync(({ attempt }) => (attempt > 1 ? 1 : Promise.resolve(1)));
});

it("takes functions of any, unknown, void and never", () => {
  expectTypeOf(retrySync((text: string) => JSON.parse(text))("1")).toEqualTypeOf<any>();
  expectTypeOf(runWithRetrySync(() => JSON.parse("1"))).toEqualTypeOf<any>();
  expectTypeOf(retrySync((text: string): unknown => text)("1")).toEqualTypeOf<unknown>();
  expectTypeOf(retrySync(() => {})()).toEqualTypeOf<void>();
  expectTypeOf(
    retrySync((): never => {
      throw new Error();
    })(),
  ).toEqualTypeOf<never>();
});

it("infers what a block gives", () => {
  expectTypeOf(
    runWithRetrySync(({ attempt, signal, previousError }) => {
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(previousError).toEqualTypeOf<unknown>();
      return attempt;
    }),
  ).toEqualTypeOf<number>();
  expectTypeOf(runWithRetrySync(() => "a", { fallback: () => "b" })).toEqualTypeOf<string>();
  // @ts-expect-error the fallback must return what the task does
  runWithRetrySync(() => 1, { fallback: () => "b" });
});

it("has no option that needs an event loop", () => {
  // @ts-expect-error a sync call cannot be aborted
  retrySync(() => 1, { signal: new AbortController().signal });
  // @ts-expect-error a sync attempt cannot be cut off
  retrySync(() => 1, { attemptTimeout: 100 });
  // @ts-expect-error a sync sleep has no timer
  retrySync(() => 1, { unref: true });
  // @ts-expect-error no sync attempt ends late
  retrySync(() => 1, { onLateResult: () => {} });
  // @ts-expect-error a timer is no use to a sync policy: it sleeps by sleepSync
  retrySync(() => 1, { clock: { now: () => 0, setTimer: () => () => {} } });
  // @ts-expect-error the fallback must be synchronous
  retrySync(() => 1, { fallback: async () => 1 });
  // @ts-expect-error no such option
  retrySync(() => 1, { retries: 1 });
  // @ts-expect-error a block cannot be aborted either
  runWithRetrySync(() => 1, { signal: new AbortController().signal });
  // @ts-expect-error a block's attempt cannot be cut off either
  runWithRetrySync(() => 1, { attemptTimeout: 100 });

  const clock = { now: () => 0, sleepSync: () => {} };
  const policy: SyncRetryOptions = { totalTimeout: 100, clock };
  expectTypeOf(retrySync(() => 1, policy)()).toEqualTypeOf<number>();
  expectTypeOf(runWithRetrySync(() => "a", policy)).toEqualTypeOf<string>();
});
