import type { AnyFn, Outcome } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { type Attempt, abandonableAttempt, inAttempt } from "../common/current.js";
import type { CircuitOpenError } from "../common/errors.js";
import { observed } from "../common/observed.js";
import { isPromise, refusePromise } from "../common/sync-only.js";
import { promiseOf, promiseOfCall } from "../common/thenable.js";
import type { CircuitLink } from "./link.js";
import {
  admit,
  closed,
  elapse,
  exceedsRate,
  fromSnapshot,
  isolated,
  LAPSED,
  type Result,
  record,
  release,
  type State,
  SUCCESS,
  toSnapshot,
} from "./machine.js";
import type { CircuitSettings, CircuitStats, CircuitVerdict } from "./options.js";
import { type Holder, Permit, type PermitBatch, Permits } from "./permits.js";
import { refusalOf } from "./refusal.js";
import type { SavedCircuit } from "./saved.js";
import { hintOf, verdictOf } from "./verdict.js";
import type { Window } from "./window.js";

/** The breaker at work: it gives permits, takes results, and asks the machine what follows. */
export class Circuit implements Holder {
  readonly stats: { -readonly [Name in keyof CircuitStats]: CircuitStats[Name] } = {
    successes: 0,
    failures: 0,
    ignored: 0,
    slow: 0,
    refused: 0,
    openings: 0,
  };
  #state: State;
  #window: Window | undefined;
  readonly #permits: Permits;
  /** The clock's last reading. */
  #now = -Infinity;
  /** When the last permit was given; where nobody looked, its attempt ends before any lease does, and is not slow. */
  #givenAt = Infinity;
  /** A success needs no look at the clock. */
  #canSkipClock = false;
  /** How long a call takes matters. */
  readonly #timed: boolean;
  readonly #spare: Permit[] = [];
  /** What the last failure since it was last closed was. */
  lastFailure: unknown;
  /** What makes it one of a fleet's. */
  link: CircuitLink | undefined;

  constructor(readonly settings: CircuitSettings) {
    const saved = settings.initialState;
    const now = saved ? settings.clock.now() : 0;
    this.#state = saved ? fromSnapshot(saved, settings.rules, now) : closed(0);
    this.#window = settings.newWindow();
    this.#permits = new Permits(this, settings);
    this.#timed = settings.slowAfter < Infinity;
    if (saved?.window) this.#window?.restore(saved.window, now);
    this.#settle();
  }

  /** The state as of now. */
  get state(): State {
    this.#advance(this.settings.clock.now());
    return this.#state;
  }

  /** Its opening is over, and no call has come since. */
  get isIdle(): boolean {
    const { state } = this;
    return state.name === "half-open" && state.taken === 0;
  }

  /** What another process can take up. */
  save(): SavedCircuit {
    const { state } = this;
    const now = this.#now;
    const window = state.name === "closed" ? this.#window?.save(now) : undefined;
    return window ? { ...toSnapshot(state, now), window } : toSnapshot(state, now);
  }

  /** Guards `fn`. */
  guard(fn: AnyFn): AnyFn {
    const circuit = this;
    return function (this: unknown, ...args: unknown[]) {
      // The plain case is written out here: handed on, `args` would have to become an array.
      if (circuit.#timed || circuit.link || inAttempt()) return circuit.call(fn, this, args);
      let batch: PermitBatch | undefined;
      try {
        batch = circuit.#admit();
      } catch (error) {
        // The user's clock failed.
        return Promise.reject(error);
      }
      if (!batch) return Promise.reject(circuit.#refuse());
      let promise: Promise<unknown>;
      try {
        promise = promiseOf(fn.apply(this, args));
      } catch (error) {
        promise = Promise.reject(error);
      }
      return promise.then(batch.succeeded, batch.failed);
    };
  }

  /** Calls `fn` if there is a permit. */
  call(fn: AnyFn, self: unknown, args: readonly unknown[]): Promise<unknown> {
    const { link } = this;
    if (!link) return this.#call(fn, self, args);
    try {
      return link.admit(this.state.name, (grant) => this.#call(fn, self, args, grant));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #call(fn: AnyFn, self: unknown, args: readonly unknown[], grant?: unknown): Promise<unknown> {
    const attempt = abandonableAttempt();
    let batch: PermitBatch | undefined;
    try {
      batch = this.#admit(attempt, grant);
    } catch (error) {
      return Promise.reject(error);
    }
    if (!batch) return Promise.reject(this.#refuse());
    const permit =
      attempt || this.#timed
        ? (this.#spare.pop() ?? new Permit(this, this.#spare)).hold(batch, attempt, this.#givenAt)
        : undefined;
    const { succeeded, failed } = permit ?? batch;
    return promiseOfCall(fn, self, args).then(succeeded, failed);
  }

  callSync(fn: AnyFn, self: unknown, args: readonly unknown[]): unknown {
    const batch = this.#admit();
    if (!batch) throw this.#refuse();
    const givenAt = this.#givenAt;
    let value: unknown;
    try {
      value = fn.apply(self, args as unknown[]);
    } catch (error) {
      return this.failed(batch, error, givenAt);
    }
    if (isPromise(value)) {
      this.back(batch, "ignored", undefined, givenAt);
      refusePromise("circuitBreaker", "fn", "wrap or run", value);
    }
    return this.succeeded(batch, value, givenAt);
  }

  isolate(options?: { local?: boolean | undefined }): void {
    this.link?.commanded("isolate", options);
    this.#advance(this.settings.clock.now());
    this.become(isolated(this.#state.generation + 1));
  }

  close(options?: { local?: boolean | undefined }): void {
    this.link?.commanded("close", options);
    this.#advance(this.settings.clock.now());
    this.become(closed(this.#state.generation + 1));
  }

  /** A call returned. */
  succeeded<T>(batch: PermitBatch, value: T, givenAt = Infinity): T {
    // A permit that was given without a look at the clock comes back without one, unless a lease may have ended.
    const { generation } = this.#state;
    if (batch.undated && this.#canSkipClock && batch.generation === generation && !this.#permits.others(batch)) {
      batch.inFlight--;
      this.stats.successes++;
      if (this.#window) this.#addWithoutClock(this.#window);
    } else if (this.settings.classify) this.#judge(batch, { ok: true, value }, givenAt);
    else this.back(batch, "success", undefined, givenAt);
    return value;
  }

  #addWithoutClock(window: Window): void {
    window.add(false, false, this.#now);
    // What time it is matters only where this call was the one that a rate was waiting for.
    if (exceedsRate(this.settings.rules, window)) this.#follow(SUCCESS, this.settings.clock.now());
  }

  /** A call threw. */
  failed(batch: PermitBatch, error: unknown, givenAt = Infinity): never {
    this.#judge(batch, { ok: false, error }, givenAt);
    throw error;
  }

  /** Goes by what an outcome says. */
  #judge(batch: PermitBatch, outcome: Outcome, givenAt: number): void {
    const error = outcome.ok ? undefined : outcome.error;
    let verdict: CircuitVerdict;
    try {
      verdict = verdictOf(this.settings, outcome);
    } catch (broken) {
      this.back(batch, "ignored", error, givenAt);
      throw broken;
    }
    this.back(batch, verdict, error, givenAt);
  }

  /**
   * Its attempt was abandoned; `timedOut`: it took longer than it was allowed to. So did one that lasted as long as a lease,
   * whatever ended it.
   */
  abandoned(batch: PermitBatch, reason: unknown, timedOut: boolean, givenAt: number): void {
    const { clock, longTimeout } = this.settings;
    try {
      const isFailure = timedOut || clock.now() - givenAt > longTimeout;
      this.back(batch, isFailure ? "failure" : "ignored", reason, givenAt);
    } catch (error) {
      // Only the clock can have failed, and others wait to be told that the attempt is over.
      report(this.settings, clock, error);
    }
  }

  /** A permit comes back. One of an older generation, or whose lease has ended, says nothing any more. */
  back(batch: PermitBatch, verdict: CircuitVerdict, error: unknown, givenAt: number): void {
    const now = this.settings.clock.now();
    if (verdict !== "success") this.#permits.unshare();
    this.#advance(now);
    const ignored = verdict === "ignored";
    const failed = verdict === "failure";
    const slow = now - givenAt >= this.settings.slowAfter;
    if (batch.generation !== this.#state.generation) {
      this.link?.ended(batch.tag, ignored ? undefined : { failed, slow, comeBackAt: -Infinity }, now);
      return;
    }
    batch.inFlight--;
    if (ignored) {
      this.stats.ignored++;
      if (!this.link?.ended(batch.tag)) this.#state = release(this.#state);
      return;
    }
    const { generation } = batch;
    const comeBackAt = failed ? now + hintOf(this.settings, error) : -Infinity;
    // Asking for it ran code of the user's, which may have closed or isolated the circuit.
    if (generation !== this.#state.generation) return;
    this.#record({ failed, slow, comeBackAt }, error, now, batch.tag);
  }

  #record(result: Result, error: unknown, now: number, tag: unknown): void {
    const { failed, slow } = result;
    this.stats[failed ? "failures" : "successes"]++;
    if (slow) this.stats.slow++;
    if (failed) this.lastFailure = error;
    // What came of a permit of the fleet's is for the fleet to judge.
    if (this.link?.ended(tag, result, now)) return;
    this.#window?.add(failed, slow, now);
    this.#follow(result, now);
  }

  #follow(result: Result, now: number): void {
    const state = this.#state;
    const next = record(this.link?.rules ?? this.settings.rules, state, result, this.#window, now);
    // `openFor` is code of the user's too.
    if (state === this.#state) this.become(next);
  }

  /** A permit, or nothing where the circuit lets no call through. */
  #admit(attempt?: Attempt, grant?: unknown): PermitBatch | undefined {
    const undated = this.#permits.takeUndated(this.#state.generation, attempt, this.#canSkipClock);
    if (undated) {
      this.#givenAt = Infinity;
      return undated;
    }
    const now = this.settings.clock.now();
    this.#advance(now);
    const link = this.link;
    const admitted = grant ? this.#state : link?.holds ? undefined : admit(this.settings.rules, this.#state);
    if (!admitted) return undefined;
    this.#state = admitted;
    this.#givenAt = now;
    if (this.#canSkipClock) this.#permits.share(now);
    const batch = this.#permits.give(admitted.generation, now, admitted.name !== "closed", attempt);
    if (link) batch.tag = grant ?? link.tag;
    return batch;
  }

  /** Time passes: leases end, and an open circuit becomes half-open, each at its own time. */
  #advance(now: number): void {
    this.#now = now;
    this.#permits.date(now);
    for (let end = this.#permits.firstEnd; end <= now && end < Infinity; end = this.#permits.firstEnd) this.#lapse(end);
    this.become(elapse(this.#state, now));
  }

  /** A lease ended: each of its permits is a failure, dated then. */
  #lapse(end: number): void {
    const { generation } = this.#state;
    const error = new Error(`a call held its permit for ${this.settings.lease} ms, when its lease ended`);
    const { inFlight = 0, tag } = this.#permits.lapse() ?? {};
    for (let left = inFlight; left > 0 && generation === this.#state.generation; left--) {
      this.#record(LAPSED, error, end, tag);
    }
  }

  /** Goes over to another state; `remote`: its fleet says so, and what was seen stays seen. */
  become(next: State, remote?: true): void {
    const last = this.#state;
    if (next === last) return;
    this.#state = next;
    if (next.generation !== last.generation) {
      this.#permits.clear();
      if (next.name === "closed" && (last.name !== "closed" || !remote)) {
        this.#window = this.settings.newWindow();
        this.lastFailure = undefined;
      }
    }
    this.#settle();
    if (next.name === last.name) return;
    if (next.name === "open") this.stats.openings++;
    const { name, eventName, clock, changed, onStateChange } = this.settings;
    changed?.(next.name);
    observed.watcher?.emit({ type: "circuit-change", name: eventName, from: last.name, to: next.name }, clock);
    if (!onStateChange) return;
    const cause = next.name === "open" ? this.lastFailure : undefined;
    const change = { name, from: last.name, to: next.name, cause, stats: { ...this.stats } };
    callHook(this.settings, onStateChange, remote ? { ...change, remote } : change);
  }

  #settle(): void {
    const calm = this.#state.name === "closed" && this.#state.failures === 0;
    this.#canSkipClock = calm && !this.#timed && !this.#window?.timed && !this.settings.classify && !this.link;
    if (!this.#canSkipClock) this.#permits.unshare();
  }

  #refuse(): CircuitOpenError {
    const { name, eventName, clock, onRefused } = this.settings;
    this.stats.refused++;
    observed.watcher?.emit({ type: "circuit-refused", name: eventName, state: this.#state.name }, clock);
    const error = refusalOf(name, this.#state.name, this.#comeBackIn(), this.lastFailure);
    if (onRefused) callHook(this.settings, onRefused, { name, error });
    return error;
  }

  /** ms until it is worth coming back. */
  #comeBackIn(): number | undefined {
    const state = this.#state;
    if (state.name === "isolated") return undefined;
    if (state.name === "open") return state.until - this.#now;
    // Probes that have no lease come back, too, at a time that is not known here.
    return Math.min(this.#permits.firstEnd - this.#now, this.link ? 1_000 : this.settings.lease);
  }
}
