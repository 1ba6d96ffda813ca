import type { GiveUpState, RetryState } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { inThisContext, setDeadline } from "../common/clock.js";
import { type AbandonListener, type Attempt, resume, theAttempt } from "../common/current.js";
import { TotalTimeoutError } from "../common/errors.js";
import { nextOrdinal } from "../common/exhausted.js";
import { type AbortListener, type AbortSource, abortError, abortSourceOf } from "../common/interrupt.js";
import { recordSuccess } from "../loop/book.js";
import { startPart } from "../loop/start.js";
import { Stats } from "../loop/stats.js";
import { type Target, watched } from "../loop/target.js";
import type { StreamPolicy } from "./options.js";
import { Progress } from "./progress.js";
import { type Paid, pullPolicy } from "./pull-policy.js";
import { type Open, Source } from "./source.js";

/** What a stream is made of. */
export interface Streamed<T> {
  readonly open: Open<T>;
  readonly name: string;
  readonly policy: StreamPolicy;
  readonly args: readonly unknown[];
  /** Shared by the streams of one method. */
  readonly stats: Stats;
}

/** Hears of an attempt's end for the source that it reads from. */
class Watch implements AbandonListener {
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  over = false;
  source: Source<any> | undefined = undefined;

  abandoned(reason: unknown, timedOut: boolean): void {
    this.over = true;
    this.source?.abandon(reason, timedOut);
  }
}

const done = <R>(value: R): IteratorResult<never, R> => ({ done: true, value });
const PENDING: Promise<never> = /* @__PURE__ */ new Promise(() => {});

/**
 * A stream that is opened again where it broke. Each item that the consumer asks for is a call of the policy (a *pull*):
 * its first attempt reads on, or opens the first source, and each retry opens a new one. So nothing is read before it is
 * asked for, everything runs in the consumer's async context, and an item begins the policy anew. What is the whole
 * stream's is here: its time, its signal, its budget, its counters.
 */
export class Stream<T, R = any> implements AbortListener {
  readonly #made: Streamed<T>;
  #target: Target;
  /** What an opening is reported by: to those who observe, a stream is one call, and its openings are the attempts. */
  #openings: Target;
  readonly #pulls: ReturnType<typeof pullPolicy>;
  readonly #sources: readonly AbortSource[];
  /** Ends a pull when the consumer leaves. */
  readonly #leaving = new AbortController();
  readonly #progress: Progress<T>;
  #source: Source<T> | undefined = undefined;
  #paid: Paid = { tokens: 0, state: undefined };
  /** Calls of `next` that have not settled, and the last of them. */
  #waiting = 0;
  #latest: Promise<unknown> | undefined = undefined;
  #taken = false;
  #begun = false;
  #pulling = false;
  #left = false;
  #over = false;
  #idleReason: unknown = undefined;
  #closeIdle: (() => void) | undefined = undefined;
  #cancelDeadline: (() => void) | undefined = undefined;

  constructor(made: Streamed<T>) {
    const { policy, name } = made;
    this.#made = made;
    const progress = new Progress<T>(policy);
    this.#progress = progress;
    const succeeded = <V>(value: V): V => value;
    const uncounted = { name, stats: new Stats(), succeeded, watch: undefined };
    this.#target = { ...uncounted, fn: () => this.#attempt() };
    this.#openings = { ...uncounted, fn: (read: () => unknown) => read() };
    this.#sources = policy.abortSources;
    this.#pulls = pullPolicy(policy, [...this.#sources, abortSourceOf(this.#leaving.signal)], {
      seen: (state) => progress.seen(state),
      paid: (paid) => {
        this.#paid = paid;
      },
      retrying: (state) => this.#retrying(state),
      givenUp: (state) => this.#givenUp(state),
      opens: (attempt) => {
        if (this.#source) return undefined;
        return policy.resetOnItem ? attempt : progress.opened + 1;
      },
    });
  }

  get stats() {
    return this.#made.stats;
  }

  get [Symbol.toStringTag]() {
    return "AsyncGenerator";
  }

  [Symbol.asyncIterator](): this {
    if (this.#taken) {
      throw new TypeError("retryIterable: this stream has a consumer already: make another one for another consumer");
    }
    this.#taken = true;
    return this;
  }

  next(): Promise<IteratorResult<T, R>> {
    const pull = () => this.#pull();
    const result = this.#waiting++ > 0 ? this.#latest!.then(pull, pull) : pull();
    this.#latest = result;
    return result;
  }

  /** Closes the source, in the midst of a read too. */
  async return(value?: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    await this.#leave();
    return done((await value) as R);
  }

  async throw(error: unknown): Promise<IteratorResult<T, R>> {
    await this.#leave();
    throw error;
  }

  /** The signal aborted, or the stream's time is up: a pull hears of it by itself. */
  cut(reason: unknown): void {
    if (this.#pulling) return;
    this.#idleReason = reason;
    this.#closeIdle?.();
    // The next pull asks the signal by itself.
    this.#leaveSignals();
  }

  #leave(): Promise<void> | undefined {
    if (this.#over) return undefined;
    this.#left = true;
    this.#finish();
    const reason = abortError();
    this.#leaving.abort(reason);
    return this.#close(reason);
  }

  #pull(): Promise<IteratorResult<T, R>> {
    if (this.#over) {
      this.#settled();
      return Promise.resolve(done(undefined as R));
    }
    let pull: Promise<unknown>;
    try {
      this.#begin();
      const { policy, args } = this.#made;
      const { startedAt, pulledAt } = this.#progress;
      pull = startPart(
        this.#target,
        this.#pulls,
        undefined,
        args,
        policy.totalTimeout < Infinity ? startedAt : pulledAt,
      );
    } catch (error) {
      pull = Promise.reject(error);
    }
    return pull.then(
      (result) => this.#got(result as IteratorResult<T, R>),
      (error) => this.#broke(error),
    );
  }

  #begin(): void {
    const { policy, stats } = this.#made;
    const progress = this.#progress;
    this.#pulling = true;
    progress.pulledAt = policy.clock.now();
    if (this.#begun) return;
    this.#begun = true;
    stats.calls++;
    progress.startedAt = progress.pulledAt;
    this.#openings = watched(this.#openings, policy, undefined, nextOrdinal());
    this.#target = { ...this.#target, watch: this.#openings.watch };
    // In the consumer's context, whoever aborts.
    this.#closeIdle = inThisContext(() => {
      if (!this.#pulling) this.#close(this.#idleReason)?.catch((error) => report(policy, this.#made.open, error));
    });
    // That one stays until the stream is over, so that pulls need not come and go.
    abortSourceOf(this.#leaving.signal).add({ cut() {} });
    for (const source of this.#sources) source.add(this);
    const { totalTimeout, clock, unref } = policy;
    if (totalTimeout === Infinity) return;
    const timeUp = () => this.cut(new TotalTimeoutError(totalTimeout, progress.opened));
    this.#cancelDeadline = setDeadline(clock, timeUp, totalTimeout, unref);
  }

  /** An attempt of a pull: reads on, or opens. */
  #attempt(): Promise<IteratorResult<T>> {
    const attempt = theAttempt()!;
    const progress = this.#progress;
    const watch = new Watch();
    attempt.onAbandoned(watch);
    if (this.#source) {
      watch.source = this.#source;
      return this.#source.next();
    }
    if (progress.opened === 0) return this.#openIn(attempt, watch);
    const { policy, stats } = this.#made;
    stats.retries++;
    stats.idle += progress.delay;
    progress.idle += progress.delay;
    const { onReopen } = policy;
    const { last, count, delay } = progress;
    const reopening = { last, count, delay };
    const pending = onReopen && callHook(policy, onReopen, reopening);
    return pending ? pending.then(() => this.#openIn(attempt, watch)) : this.#openIn(attempt, watch);
  }

  #openIn(attempt: Attempt, watch: Watch): Promise<IteratorResult<T>> {
    // The hook took too long.
    if (watch.over) return PENDING;
    const { policy, stats, open } = this.#made;
    stats.attempts++;
    const progress = this.#progress;
    progress.opened++;
    const source = new Source(policy.resetOnItem ? attempt.attempt : progress.opened, progress.last, progress.count);
    this.#source = source;
    watch.source = source;
    const read = () =>
      source.open(open, policy.guards).then(() => (source.isOver ? PENDING : resume(attempt, () => source.next())));
    return resume(attempt, () => this.#openings.fn(read)) as Promise<IteratorResult<T>>;
  }

  /** A retry was decided. A source that took too long is closed before another one is opened. */
  #retrying(state: RetryState): Promise<unknown> | undefined {
    const { policy } = this.#made;
    const { onRetry } = policy;
    const pending = onRetry && callHook(policy, onRetry, this.#progress.seen(state));
    this.#progress.delay = state.delay;
    const { outcome } = state;
    const closing = this.#close(outcome.ok ? undefined : outcome.error)?.catch((error) =>
      report(policy, this.#made.open, error),
    );
    return pending && closing ? Promise.all([pending, closing]) : (pending ?? closing);
  }

  #givenUp(state: GiveUpState): unknown {
    return this.#left ? undefined : this.#made.policy.onGiveUp!(this.#progress.seen(state));
  }

  #close(reason: unknown): Promise<void> | undefined {
    const source = this.#source;
    this.#source = undefined;
    return source?.close(reason, this.#made.policy);
  }

  #settled(): void {
    this.#pulling = false;
    if (--this.#waiting === 0) this.#latest = undefined;
  }

  /** A pull has its item, or the end. */
  #got(result: IteratorResult<T, R>): IteratorResult<T, R> | Promise<IteratorResult<T, R>> {
    this.#settled();
    if (this.#left) return done(undefined as R);
    if (result.done) return this.#ended(result);
    this.#progress.last = result.value;
    this.#progress.count++;
    return result;
  }

  #ended(result: IteratorReturnResult<R>): IteratorResult<T, R> | Promise<IteratorResult<T, R>> {
    const { policy, stats, args, name } = this.#made;
    this.#finish();
    stats.successes++;
    this.#openings.succeeded(undefined);
    if (policy.budget) recordSuccess(policy, this.#paid.tokens, this.#paid.state, args);
    if (!policy.onSuccess) return result;
    const state = this.#progress.ended(name, args, { ok: true, value: result.value });
    const pending = callHook(policy, policy.onSuccess, state);
    return pending ? pending.then(() => result) : result;
  }

  /** A pull gave up, or was ended from outside. */
  #broke(error: unknown): IteratorResult<T, R> | Promise<never> {
    const { policy, stats, open } = this.#made;
    this.#settled();
    if (this.#left) return done(undefined as R);
    stats.failures++;
    this.#finish();
    const closing = this.#close(error)?.catch((broken) => report(policy, open, broken));
    if (!closing) throw error;
    return closing.then(() => {
      throw error;
    });
  }

  #finish(): void {
    this.#over = true;
    this.#cancelDeadline?.();
    this.#leaveSignals();
  }

  #leaveSignals(): void {
    for (const source of this.#sources) source.remove(this);
  }
}
