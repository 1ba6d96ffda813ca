import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import {
  BulkheadFullError,
  bulkhead,
  bulkheads,
  CircuitOpenError,
  circuitBreaker,
  circuitBreakers,
  type RetryBudget,
  type RetryOptions,
  type RetryState,
  retry,
  retryBudget,
  retryBudgets,
  runWithRetry,
  stopAfterAttempt,
} from "undaunted";
import { type IdempotencyStore, idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { type VirtualClock, virtualClock } from "undaunted/testing";
import { expect, it, vi } from "vitest";

// All code of the user's runs in the async context of the call that it belongs to, whoever frees a slot, lets time pass or
// aborts. (A breaker's onStateChange and openFor belong to no call.)

const requests = new AsyncLocalStorage<string>();

/** What ran in a context that was not its own. */
type Strays = string[];

/** How one attempt of a call ends, and when. */
const attempt = fc.record({
  ms: fc.constantFrom(0, 0, 5, 20),
  ok: fc.boolean(),
  sync: fc.boolean(),
});

const plan = fc.record({
  at: fc.constantFrom(0, 0, 0, 10, 25),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
  guard: fc.constantFrom("none", "bulkhead", "bulkheads", "breaker", "breakers", "both", "run") as fc.Arbitrary<Guard>,
  /** A call is a wrapped function, or a block. */
  block: fc.boolean(),
  nested: fc.boolean(),
  /** Its work happens once for its key, which it may share with another call. */
  once: fc.boolean(),
  asyncStrategies: fc.boolean(),
  attemptTimeout: fc.option(fc.constantFrom(3, 12, 50), { nil: undefined }),
  totalTimeout: fc.option(fc.constantFrom(15, 60), { nil: undefined }),
  signal: fc.constantFrom("none", "own", "shared") as fc.Arbitrary<"none" | "own" | "shared">,
  abortAt: fc.option(fc.constantFrom(0, 7, 18, 40), { nil: undefined }),
  fallback: fc.boolean(),
  budget: fc.constantFrom("none", "one", "keyed") as fc.Arbitrary<"none" | "one" | "keyed">,
});
type Guard = "none" | "bulkhead" | "bulkheads" | "breaker" | "breakers" | "both" | "run";
type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;

/** A failure of one call. */
class Failure extends Error {
  constructor(readonly id: string) {
    super(`fails: ${id}`);
  }
}

/** What calls share: guards, budgets, a store and a signal, all of whose code looks where it runs. */
class World {
  readonly clock: VirtualClock = virtualClock();
  readonly strays: Strays = [];
  readonly shared = new AbortController();
  /** In whose context a guard's hook heard of a refusal. */
  readonly refusedIn = new WeakMap<object, string | undefined>();
  readonly slots;
  readonly slotsOf;
  readonly breaker;
  readonly breakerOf;
  readonly budget: RetryBudget;
  readonly budgets;
  readonly store: IdempotencyStore;

  constructor() {
    const { clock } = this;
    const idOf = (outcome: { ok: boolean; error?: unknown; value?: unknown }) =>
      outcome.ok
        ? String(outcome.value).split(":")[0]
        : outcome.error instanceof Failure
          ? outcome.error.id
          : undefined;
    const guardHooks = {
      onRefused: ({ error }: { error: object }) => void this.refusedIn.set(error, requests.getStore()),
    };
    const breakerOptions = {
      ...guardHooks,
      clock,
      consecutiveFailures: 3,
      openFor: 10,
      classify: (outcome: { ok: boolean; error?: unknown; value?: unknown }) => {
        this.see("classify", idOf(outcome));
        return undefined;
      },
      retryAfter: (error: unknown) => {
        this.see("retryAfter", error instanceof Failure ? error.id : undefined);
        return undefined;
      },
    };
    const queue = { limit: 1, queue: 3, maxWait: 30, clock, ...guardHooks };
    const key = (id: string) => {
      this.see("key", id);
      return id.length % 2;
    };
    this.slots = bulkhead(queue);
    this.slotsOf = bulkheads({ key, ...queue });
    this.breaker = circuitBreaker(breakerOptions);
    this.breakerOf = circuitBreakers({ key, ...breakerOptions });
    const isOverload = ({ args }: RetryState) => {
      if (args.length > 0) this.see("isOverload", args[0] as string);
      return false;
    };
    this.budget = retryBudget({ clock, isOverload });
    this.budgets = retryBudgets({ key, clock, isOverload });
    this.store = this.#watched(memoryIdempotencyStore({ clock }));
  }

  /** Notes what runs where it does not belong. */
  see(what: string, id: string | undefined): void {
    if (id !== undefined && requests.getStore() !== id) {
      this.strays.push(`${what} of ${id} ran in the context of ${requests.getStore()}`);
    }
  }

  #watched(store: IdempotencyStore): IdempotencyStore {
    const seen =
      <A extends unknown[], R>(what: string, method: (key: string, ...rest: A) => R) =>
      (key: string, ...rest: A): R => {
        this.see(what, key.match(/a+$/)?.[0]);
        return method(key, ...rest);
      };
    return {
      claim: seen("claim", store.claim),
      renew: seen("renew", store.renew),
      record: seen("record", store.record),
      release: seen("release", store.release),
    };
  }

  /** Waits for `ms`, in the context of whoever does. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(resolve, ms));
  }

  /** Makes one call. */
  async call(id: string, planned: Plan): Promise<void> {
    await this.sleep(planned.at);
    const own = new AbortController();
    if (planned.abortAt !== undefined) {
      const { signal } = planned;
      const abort = () => (signal === "own" ? own : this.shared).abort(new Error("the user left"));
      if (signal !== "none") requests.run("the aborter", () => this.clock.setTimer(abort, planned.abortAt!));
    }
    const wrapped = this.#guarded(planned.guard, this.#work(id, planned));
    const seen = (given: string) =>
      wrapped(given).catch((error: unknown) => {
        this.#seeRefusal(id, error);
        throw error;
      });
    const options = this.#options(id, planned, own.signal);
    const call = planned.nested
      ? retry((given: string) => retry(seen, options)(given), { ...options, fallback: undefined })
      : planned.block
        ? (given: string) => runWithRetry(() => seen(given), options)
        : retry(seen, options);
    await call(id).then(
      () => this.see("then", id),
      () => this.see("catch", id),
    );
  }

  #seeRefusal(id: string, error: unknown): void {
    if (!(error instanceof BulkheadFullError || error instanceof CircuitOpenError)) return;
    const saw = this.refusedIn.get(error);
    if (saw !== id) this.strays.push(`onRefused of ${id} ran in the context of ${saw}`);
  }

  #work(id: string, { attempts, once }: Plan): (id: string) => Promise<string> {
    let made = 0;
    const work = (): Promise<string> => {
      const { ms, ok, sync } = attempts[Math.min(made++, attempts.length - 1)]!;
      this.see("fn", id);
      if (sync && !ok) throw new Failure(id);
      return this.#later(id, ms, ok);
    };
    if (!once) return work;
    const key = () => {
      this.see("idempotent's key", id);
      return id;
    };
    return idempotent(work, { name: "work", key, store: this.store, clock: this.clock });
  }

  async #later(id: string, ms: number, ok: boolean): Promise<string> {
    if (ms > 0) await this.sleep(ms);
    this.see("fn, later", id);
    if (!ok) throw new Failure(id);
    return `${id}: done`;
  }

  #guarded(guard: Guard, fn: (id: string) => Promise<string>): (id: string) => Promise<string> {
    const guards: Record<Guard, () => (id: string) => Promise<string>> = {
      none: () => async (id) => fn(id),
      bulkhead: () => this.slots.wrap(fn),
      bulkheads: () => this.slotsOf.wrap(fn),
      breaker: () => this.breaker.wrap(fn),
      breakers: () => this.breakerOf.wrap(fn),
      both: () => this.slots.wrap(this.breaker.wrap(fn)),
      run: () => (id) => this.slots.run(() => fn(id), { signal: this.shared.signal }),
    };
    return guards[guard]();
  }

  #options(id: string, planned: Plan, own: AbortSignal): RetryOptions {
    const { attemptTimeout, totalTimeout, asyncStrategies, signal, budget } = planned;
    const note =
      (what: string) =>
      (...given: unknown[]): void => {
        this.see(what, id);
        // Of a hook that throws, another one hears.
        if (what === "onRetry" && given.length > 0) throw new Failure(id);
      };
    const later = async () => {
      await null;
      this.see("retryIf, later", id);
      return true;
    };
    return {
      clock: this.clock,
      attemptTimeout,
      totalTimeout,
      signal: signal === "own" ? own : signal === "shared" ? this.shared.signal : undefined,
      budget: budget === "one" ? this.#spy(id) : budget === "keyed" ? this.budgets : undefined,
      retryIf: () => {
        this.see("retryIf", id);
        return asyncStrategies ? later() : true;
      },
      stop: (state) => {
        this.see("stop", id);
        return stopAfterAttempt(3)(state);
      },
      wait: ({ attempt }) => {
        this.see("wait", id);
        return attempt === 1 ? 0 : 8;
      },
      random: () => {
        this.see("random", id);
        return 0.5;
      },
      onAttempt: note("onAttempt"),
      onRetry: note("onRetry"),
      onSuccess: note("onSuccess"),
      onGiveUp: note("onGiveUp"),
      onLateResult: note("onLateResult"),
      onHookError: note("onHookError"),
      fallback: planned.fallback
        ? () => {
            this.see("fallback", id);
            return "fallback";
          }
        : undefined,
    };
  }

  /** The shared budget, as one call sees it. */
  #spy(id: string): RetryBudget {
    const { budget } = this;
    return {
      acquire: (state) => {
        this.see("acquire", id);
        return budget.acquire(state);
      },
      recordSuccess: (...facts) => {
        this.see("recordSuccess", id);
        budget.recordSuccess(...facts);
      },
      recordFailure: () => this.see("recordFailure", id),
      refund: (...facts) => {
        this.see("refund", id);
        budget.refund(...facts);
      },
      balance: budget.balance,
    };
  }
}

it("runs all code of the user's in the async context of its own call, whatever waits, aborts and frees slots", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 2, maxLength: 6 }), async (plans) => {
      const world = new World();

      const calls = plans.map((each, n) => {
        const id = "a".repeat(n + 1);
        return requests.run(id, () => world.call(id, each));
      });
      await requests.run("whoever lets time pass", () => world.clock.runAll());
      await Promise.all(calls);

      expect(world.strays).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

it("keeps apart the contexts of calls that begin and are aborted in one turn", async () => {
  const seen: string[] = [];
  const controller = new AbortController();
  const call = (id: string) =>
    requests.run(id, () =>
      retry(() => new Promise(() => {}), {
        signal: controller.signal,
        onGiveUp: () => void seen.push(`onGiveUp of ${id} in ${requests.getStore()}`),
      })().catch(() => seen.push(`catch of ${id} in ${requests.getStore()}`)),
    );

  const calls = [call("a"), call("b")];
  requests.run("the aborter", () => controller.abort());
  await Promise.all(calls);

  expect(seen.sort()).toEqual(
    ["onGiveUp of a in a", "catch of a in a", "onGiveUp of b in b", "catch of b in b"].sort(),
  );
});

it("gives a budget its refund in the context of the call that was aborted", async () => {
  const seen: unknown[] = [];
  const controller = new AbortController();
  const clock = virtualClock();
  const budget: RetryBudget = {
    acquire: () => 1,
    recordSuccess() {},
    refund: () => void seen.push(requests.getStore()),
    balance: 1,
  };
  const fail = () => Promise.reject(new Error("busy"));
  const options = { budget, clock, signal: controller.signal, wait: () => 1_000 };
  const ended = requests.run("the call", () => expect(retry(fail, options)()).rejects.toThrow("the user left"));
  await clock.advance(10);

  requests.run("the aborter", () => controller.abort(new Error("the user left")));
  await ended;
  await clock.advance(0);

  expect(seen).toEqual(["the call"]);
});

it("goes on after a sleep in the call's context, whatever the context in which a clock of the user's own fires", async () => {
  const seen: unknown[] = [];
  const timers: (() => void)[] = [];
  const setTimer = (fn: () => void) => {
    timers.push(fn);
    return () => {};
  };
  const clock = { now: () => 0, setTimer };
  const fail = async () => {
    seen.push(requests.getStore());
    throw new Error("busy");
  };
  const onGiveUp = () => void seen.push(requests.getStore());
  const stop = stopAfterAttempt(2);
  const ended = requests.run("the call", () =>
    retry(fail, { clock, stop, wait: () => 10, onGiveUp })().catch(() => {}),
  );
  await vi.waitUntil(() => timers.length > 0);

  requests.run("the clock", () => timers[0]!());
  await ended;

  expect(seen).toEqual(["the call", "the call", "the call"]);
});
