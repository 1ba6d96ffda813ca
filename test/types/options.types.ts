import {
  type Clock,
  type GiveUpReason,
  type Hooks,
  mergeHooks,
  type Outcome,
  type RetryBudget,
  type RetryIf,
  type RetryOptions,
  type RetryState,
  retry,
  retryIfError,
  retryIfNotResult,
  retryLogger,
  retrySync,
  returnLastResult,
  runWithRetry,
  type Stop,
  type SyncRetryIf,
  type SyncRetryOptions,
  stopAfterAttempt,
  stopAny,
  throwRetryExhausted,
  type Wait,
  waitFixed,
  waitFromError,
  waitFromResult,
  waitSum,
} from "undaunted";
import { instant, retryState, virtualClock } from "undaunted/testing";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

interface Job {
  readonly done: boolean;
}

const load = async (id: string): Promise<Job> => ({ done: id !== "" });

it("lets one shared policy fit every function and hide no result", () => {
  const policy: RetryOptions = { stop: stopAfterAttempt(3), wait: waitFixed(10), onRetry: (state) => state.delay };
  const syncPolicy: SyncRetryOptions = { stop: stopAfterAttempt(3) };

  expectTypeOf(retry(load, policy)("42")).toEqualTypeOf<Promise<Job>>();
  expectTypeOf(retry(async () => {}, policy)()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(retry(() => 1, policy)()).toEqualTypeOf<Promise<number>>();
  expectTypeOf(retry(load).with(policy)("42")).toEqualTypeOf<Promise<Job>>();
  expectTypeOf(retry(load, () => policy)("42")).toEqualTypeOf<Promise<Job>>();
  expectTypeOf(runWithRetry(async () => "a", policy)).toEqualTypeOf<Promise<string>>();
  expectTypeOf(retry(load, { ...policy, ...instant, name: "load" })("42")).toEqualTypeOf<Promise<Job>>();
  expectTypeOf(retrySync(() => 1, syncPolicy)()).toEqualTypeOf<number>();
  expectTypeOf(retrySync(() => "a", syncPolicy)()).toEqualTypeOf<string>();
});

it("lets a policy that looks at results fit the functions that give them", () => {
  const polling: RetryOptions<Job> = { retryIf: retryIfNotResult((job) => job.done) };

  retry(load, polling);
  // @ts-expect-error the function gives no Job
  retry(async () => 1, polling);
});

it("refuses an option that is not there", () => {
  // @ts-expect-error no such option
  retry(load, { retries: 3 });
  // @ts-expect-error no such option
  retry(load, () => ({ retries: 3 }));
  // @ts-expect-error no such option
  runWithRetry(async () => 1, { maxAttempts: 3 });
  // @ts-expect-error no such option
  const misspelled: RetryOptions = { backoff: waitFixed(10) };
  retry(load, misspelled);
});

it("refuses an option of the wrong kind", () => {
  // @ts-expect-error a number is no strategy
  retry(load, { stop: 3 });
  // @ts-expect-error a number is no strategy
  retry(load, { wait: 100 });
  // @ts-expect-error a strategy is passed made, not as the factory
  retry(load, { stop: stopAfterAttempt });
  // @ts-expect-error a stop answers yes or no
  retry(load, { stop: () => 3 });
  // @ts-expect-error a wait answers ms
  retry(load, { wait: () => "100" });
  // @ts-expect-error a wait answers at once
  retry(load, { wait: async () => 100 });
  // @ts-expect-error a stop answers at once
  retry(load, { stop: async () => true });
  // @ts-expect-error a predicate answers yes or no
  retry(load, { retryIf: () => 1 });
  // @ts-expect-error a duration is in ms
  retry(load, { totalTimeout: "10s" });
  // @ts-expect-error a controller is no signal
  retry(load, { signal: new AbortController() });
});

it("asks of the fallback what the function gives", () => {
  retry(load, { fallback: () => ({ done: true }) });
  retry(load, { fallback: async () => ({ done: true }) });
  retry(load, { fallback: throwRetryExhausted });
  retry(load, { fallback: returnLastResult });
  retrySync(() => 1, { fallback: returnLastResult });
  retry(async (): Promise<Job | null> => null, { fallback: () => null });
  runWithRetry(async (): Promise<Job | null> => null, { fallback: () => null });
  // @ts-expect-error a string is no Job
  retry(load, { fallback: () => "a" });
  // @ts-expect-error nothing is no Job
  retry(load, { fallback: () => {} });
  // @ts-expect-error a promise of a string is no Job
  retry(load, { fallback: async () => "a" });
});

it("types the state in hooks by the function, narrowed by `ok`, and readonly", () => {
  retry(load, {
    onAttempt: (start) => expectTypeOf(start.attempt).toEqualTypeOf<number>(),
    onRetry: (state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>(),
    onSuccess: ({ outcome }) => {
      expectTypeOf(outcome).toEqualTypeOf<Outcome<Job>>();
      if (outcome.ok) expectTypeOf(outcome.value).toEqualTypeOf<Job>();
      else expectTypeOf(outcome.error).toEqualTypeOf<unknown>();
    },
    onGiveUp: ({ outcome, reason, error }) => {
      expectTypeOf(reason).toEqualTypeOf<GiveUpReason>();
      expectTypeOf(error).toEqualTypeOf<unknown>();
      // @ts-expect-error an outcome must be looked at before its value
      outcome.value;
    },
    fallback: ({ outcome, reason }) => {
      expectTypeOf(reason).toEqualTypeOf<GiveUpReason>();
      return outcome.ok ? outcome.value : { done: false };
    },
    onLateResult: (outcome) => expectTypeOf(outcome).toEqualTypeOf<Outcome<Job>>(),
    onHookError: (error) => expectTypeOf(error).toEqualTypeOf<unknown>(),
  });
  retry(load, { onRetry: async () => {}, onGiveUp: async () => {} });
  retry(load, mergeHooks(retryLogger(console), { onSuccess: () => {} }));
  retry(load, { ...retryLogger({ warn: () => {}, error: () => {} }) });
  const hooks: Hooks<Job> = { onSuccess: ({ outcome }) => outcome.ok && outcome.value.done };
  retry(load, hooks);

  retry(load, {
    onRetry: (state) => {
      // @ts-expect-error a hook watches and changes nothing
      state.delay = 0;
      // @ts-expect-error nor the arguments
      state.args.push(1);
    },
  });
});

it("takes undefined for every option", () => {
  const options: RetryOptions = {
    stop: undefined,
    wait: undefined,
    retryIf: undefined,
    retryExhausted: undefined,
    budget: undefined,
    attemptTimeout: undefined,
    totalTimeout: undefined,
    signal: undefined,
    fallback: undefined,
    onAttempt: undefined,
    onRetry: undefined,
    onSuccess: undefined,
    onGiveUp: undefined,
    onHookError: undefined,
    onLateResult: undefined,
    name: undefined,
    unref: undefined,
    clock: undefined,
    random: undefined,
  };
  const syncOptions: SyncRetryOptions = {
    stop: undefined,
    wait: undefined,
    retryIf: undefined,
    retryExhausted: undefined,
    budget: undefined,
    totalTimeout: undefined,
    fallback: undefined,
    onAttempt: undefined,
    onRetry: undefined,
    onSuccess: undefined,
    onGiveUp: undefined,
    onHookError: undefined,
    name: undefined,
    clock: undefined,
    random: undefined,
  };

  // Every option is among them.
  expectTypeOf<keyof typeof options>().toEqualTypeOf<keyof RetryOptions>();
  retry(load, options);
  retrySync(() => 1, syncOptions);
  retry(load, undefined);
  retry(load, { stop: Math.random() > 1 ? stopAfterAttempt(3) : undefined });
});

it("takes a user's own function as a strategy", () => {
  const stop: Stop = ({ attempt, elapsed }) => attempt > 3 || elapsed > 1_000;
  const wait: Wait = ({ attempt, previousDelay, random }) => previousDelay + attempt * random();
  const retryIf: RetryIf<Job> = (error, { attempt }) => error instanceof TypeError || attempt < 2;
  const retryIfLater: RetryIf = async (error) => error instanceof TypeError;
  const retryIfSync: SyncRetryIf = (error) => error instanceof TypeError;
  const noise = Object.assign(() => 5, { label: "noise" });

  retry(load, { stop, wait, retryIf });
  retry(load, { stop: stopAny(stop, stopAfterAttempt(9)), wait: waitSum(wait, waitFixed(1), noise) });
  retry(load, { stop: (state) => state.idle > 100, wait: (state) => state.attempt, retryIf: retryIfLater });
  retrySync(() => 1, { stop, wait, retryIf: retryIfSync });
  expectTypeOf(stop(retryState())).toEqualTypeOf<boolean>();
  expectTypeOf(wait(retryState({ attempt: 2 }))).toEqualTypeOf<number>();
  // @ts-expect-error a strategy does not change the state
  const meddling: Wait = (state) => (state.attempt = 1);
  retry(load, { wait: meddling });
});

it("lets waits read errors and results", () => {
  waitFromError((error) => expectTypeOf(error).toEqualTypeOf<unknown>(), waitFixed(1));
  retry(load, { wait: waitFromResult((job: Job) => Number(job.done), waitFixed(1)), retryIf: retryIfError() });
});

it("takes anything of the right shape as a budget or a clock", () => {
  const budget: RetryBudget = {
    balance: 1,
    acquire: async (state) => state.attempt,
    recordSuccess: () => {},
    refund: () => {},
  };
  const clock: Clock = { now: () => 0, setTimer: () => () => {} };

  retry(load, { budget, clock });
  retry(load, { clock: virtualClock() });
  retrySync(() => 1, { clock: virtualClock() });
});
