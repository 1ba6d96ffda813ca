import fc from "fast-check";
import { type Clock, type Outcome, type RetryState, retry, retryIfOutcome, stopAfterAttempt } from "undaunted";
import { type ReferenceOptions, referenceRun } from "./reference-run.ts";

// No two things happen at one instant: attempts, hooks and sleeps end at whole tens, timeouts at threes more for each, the
// deadline at a half, aborts at a quarter.

const ms = fc.constantFrom(null, null, 0, 10, 30, 70);

const step = fc.record({
  how: fc.constantFrom("throws", "rejects", "rejects", "returns", "returns what is not wanted", "hangs"),
  ms,
  aborts: fc.constantFrom(false, false, false, false, true),
});

const hook = fc.option(
  fc.record({
    ms,
    throws: fc.boolean(),
    abortsIn: fc.constantFrom(0, 0, 0, 1, 2),
    hangs: fc.constantFrom(false, false, true),
  }),
  { nil: undefined },
);

/** What happens to a call, and what it is made with. */
export const plan = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  attempts: fc.integer({ min: 1, max: 5 }),
  delays: fc.array(fc.constantFrom(0, 10, 40), { minLength: 1, maxLength: 3 }),
  attemptTimeout: fc.option(fc.constantFrom(13, 43, 103), { nil: undefined }),
  totalTimeout: fc.option(fc.constantFrom(25.5, 65.5, 155.5), { nil: undefined }),
  signal: fc.constantFrom("none", "aborted before", "some"),
  abortAt: fc.option(fc.constantFrom(0.25, 7.25, 37.25, 87.25), { nil: undefined }),
  retryIf: fc.record({
    ms,
    retries: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
    abortsIn: fc.constantFrom(0, 0, 0, 2),
  }),
  onAttempt: hook,
  onRetry: hook,
  onSuccess: hook,
  onGiveUp: hook,
  fallback: hook,
  budget: fc.option(fc.record({ ms, tokens: fc.integer({ min: 0, max: 3 }) }), { nil: undefined }),
});
export type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;
type Hook = Exclude<Plan["onAttempt"], undefined>;

const show = ({ ok, ...rest }: Outcome) => `${ok ? "value" : "error"} ${String(Object.values(rest)[0])}`;

const ASIDE: unknown[] = ["onLateResult", "onHookError", "refund"];

/** Everything about a call that can be seen from outside, and when. */
export class Observed {
  readonly log: unknown[] = [];
  /** What nobody waits for, whose order within an instant is nobody's concern. */
  readonly aside: string[] = [];
  readonly options: ReferenceOptions;
  /** A call that only makes the policy known: nothing of it is noted, and it succeeds. */
  isMuted = false;
  readonly #controller = new AbortController();
  #calls = 0;
  #asked = 0;
  #tokens: number;

  constructor(
    readonly plan: Plan,
    readonly clock: Clock,
  ) {
    const { retryIf, budget, delays, attempts, signal, attemptTimeout, totalTimeout } = plan;
    this.#tokens = budget?.tokens ?? 0;
    if (signal === "aborted before") this.#abort();
    this.options = {
      clock,
      attemptTimeout,
      totalTimeout,
      stop: stopAfterAttempt(attempts),
      wait: ({ attempt }) => delays[(attempt - 1) % delays.length]!,
      retryIf: ({ attempt, outcome }) => {
        if (this.isMuted) return false;
        this.#note("retryIf", attempt, show(outcome));
        if (retryIf.abortsIn === attempt) this.#abort();
        const answer = outcome.ok
          ? outcome.value === "unwanted"
          : retryIf.retries[this.#asked++ % retryIf.retries.length]!;
        return this.#after(retryIf.ms, () => answer);
      },
      signal: signal === "none" ? undefined : this.#controller.signal,
      onAttempt: this.#hook("onAttempt", plan.onAttempt),
      onRetry: this.#hook("onRetry", plan.onRetry),
      onSuccess: this.#hook("onSuccess", plan.onSuccess),
      onGiveUp: this.#hook("onGiveUp", plan.onGiveUp),
      onHookError: (error) => this.#note("onHookError", String(error)),
      onLateResult: (outcome) => this.#note("onLateResult", show(outcome)),
      fallback: this.#hook("fallback", plan.fallback),
      budget: budget && {
        acquire: ({ attempt }) => {
          this.#note("acquire", attempt);
          return this.#after(budget.ms, () => (this.#tokens > 0 ? this.#tokens-- && 1 : 0));
        },
        recordSuccess: (taken) => this.#note("recordSuccess", taken),
        refund: (taken) => this.#note("refund", taken),
        balance: 0,
      },
    };
  }

  #note(...what: unknown[]): void {
    if (this.isMuted) return;
    const noted = [this.clock.now(), ...what];
    if (ASIDE.includes(what[0])) this.aside.push(JSON.stringify(noted));
    else this.log.push(noted);
  }

  #abort(): void {
    this.#controller.abort("the user left");
  }

  #after<T>(ms: number | null, then: () => T): T | Promise<T> {
    if (ms === null) return then();
    return new Promise((resolve, reject) => {
      this.clock.setTimer(() => new Promise<T>((settle) => settle(then())).then(resolve, reject), ms);
    });
  }

  #hook(name: string, hook: Hook | undefined) {
    if (!hook) return undefined;
    return (state: Partial<RetryState> & { attempt: number; reason?: unknown; error?: unknown }) => {
      if (this.isMuted) return undefined;
      const { attempt, outcome, elapsed, delay, previousDelay, idle, reason, error } = state;
      this.#note(name, attempt, outcome && show(outcome), reason, String(error), elapsed, delay, previousDelay, idle);
      if (hook.abortsIn === attempt) this.#abort();
      if (hook.hangs && hook.abortsIn === attempt) return new Promise(() => {});
      return this.#after(hook.ms, () => {
        if (hook.throws) throw new Error(`${name} fails`);
        return `${name}'s`;
      });
    };
  }

  readonly fn = (): unknown => {
    if (this.isMuted) return "value 0";
    const { steps } = this.plan;
    const { how, ms, aborts } = steps[Math.min(this.#calls++, steps.length - 1)]!;
    const n = this.#calls;
    this.#note("fn", n);
    if (aborts) this.#abort();
    if (how === "throws") throw new Error(`${n} fails`);
    if (how === "hangs") return new Promise(() => {});
    return this.#after(ms, () => {
      if (how === "rejects") throw new Error(`${n} fails`);
      return how === "returns" ? `value ${n}` : "unwanted";
    });
  };

  async settled(call: () => Promise<unknown>): Promise<void> {
    const { abortAt } = this.plan;
    const result = call();
    if (abortAt !== undefined) this.clock.setTimer(() => this.#abort(), abortAt);
    await result.then(
      (value) => this.#note("returned", value),
      (error) => this.#note("rejected", String(error)),
    );
  }
}

/** The call of the real loop. */
export function realCall(seen: Observed) {
  const { retryIf, ...options } = seen.options;
  return retry(seen.fn, { ...options, name: "fn", retryIf: retryIfOutcome(retryIf) });
}

export const referenceCall = (seen: Observed) => () => referenceRun(seen.fn, "fn", seen.options);

/** All that was seen of a call that is over. */
export const allOf = ({ log, aside }: Observed) => [log, aside.sort()];
