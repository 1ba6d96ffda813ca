import type { AbandonListener, Attempt } from "../common/current.js";

// Permits that were given within so large a part of a lease are counted together.
const BATCHES = 16;
// So many calls in a row may share a reading of the clock, where they follow each other so closely (ms).
const MOST_SHARED = 64;
const CLOSE = 0.05;
// Permits that are kept for the next calls.
const MOST_SPARE = 1_000;
// What became void belongs to no generation.
const VOID = -1;

/** Learns how a call that had a permit ended. */
export interface Holder {
  succeeded<T>(batch: PermitBatch, value: T, givenAt?: number): T;
  failed(batch: PermitBatch, error: unknown, givenAt?: number): never;
  abandoned(batch: PermitBatch, reason: unknown, timedOut: boolean, givenAt: number): void;
}

/**
 * Permits given at about the same time, counted: most calls need no object of their own. What such a call does when it
 * ends is made once per batch.
 */
export class PermitBatch {
  /** Permits that have not come back. */
  inFlight = 1;
  /** Its permit was given without a look at the clock, and there was none since. */
  undated = false;
  /** What a fleet tells its calls apart by. */
  tag: unknown = undefined;
  readonly succeeded: <T>(value: T) => T;
  readonly failed: (error: unknown) => never;

  constructor(
    holder: Holder,
    public generation: number,
    /** When its first and its last permit were given. */
    public first: number,
    public last = first,
  ) {
    this.succeeded = (value) => holder.succeeded(this, value);
    this.failed = (error) => holder.failed(this, error);
  }
}

/** One call's permit, where its time counts or its attempt can be abandoned. */
export class Permit implements AbandonListener {
  // There from the start, so that all have one shape.
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  private isBack = false;
  private batch: PermitBatch | undefined = undefined;
  private attempt: Attempt | undefined = undefined;
  private givenAt = 0;

  constructor(
    private readonly holder: Holder,
    private readonly spare: Permit[],
  ) {}

  hold(batch: PermitBatch, attempt: Attempt | undefined, givenAt: number): this {
    this.isBack = false;
    this.batch = batch;
    this.attempt = attempt;
    this.givenAt = givenAt;
    attempt?.onAbandoned(this);
    return this;
  }

  readonly succeeded = <T>(value: T): T => {
    const { batch, givenAt } = this;
    return this.#settled() ? this.holder.succeeded(batch!, value, givenAt) : value;
  };

  readonly failed = (error: unknown): never => {
    const { batch, givenAt } = this;
    if (this.#settled()) this.holder.failed(batch!, error, givenAt);
    throw error;
  };

  abandoned(reason: unknown, timedOut: boolean): void {
    if (this.#return()) this.holder.abandoned(this.batch!, reason, timedOut, this.givenAt);
  }

  /** Its call has settled, so that it can serve another one. Whether it had not come back before. */
  #settled(): boolean {
    const returns = this.#return();
    if (this.spare.length < MOST_SPARE) this.spare.push(this);
    return returns;
  }

  #return(): boolean {
    if (this.isBack) return false;
    this.isBack = true;
    this.attempt?.offAbandoned(this);
    // An error that keeps this permit must not keep the attempt, which keeps the error before.
    this.attempt = undefined;
    return true;
  }
}

/** ms that a permit may be out; of an attempt whose limit is above `longTimeout`, as long as that says. */
interface LeaseRules {
  readonly lease: number;
  readonly longTimeout: number;
  readonly clock: object;
}

/** The permits of one generation that are out, and since when. */
export class Permits {
  // The oldest first; only the newest gets permits.
  #batches: PermitBatch[] = [];
  #newest: PermitBatch | undefined;
  /** Those that an attempt's timeout ends. */
  #withoutLease: PermitBatch | undefined;
  /** The next calls may go without a look at the clock. */
  #unclocked = 0;
  #shared = 1;
  /** When a permit was last given by the clock. */
  #givenAt = -Infinity;

  constructor(
    private readonly holder: Holder,
    private readonly rules: LeaseRules,
  ) {}

  /** A permit that needs no look at the clock, where one may be had; `quiet`: a success will need none either. */
  takeUndated(generation: number, attempt: Attempt | undefined, quiet: boolean): PermitBatch | undefined {
    const { lease, clock } = this.rules;
    // A timeout ends it within a lease, by the same clock.
    if (quiet && attempt && attempt.limit < lease && attempt.clock === clock) return this.#giveWithoutLease(generation);
    const newest = this.#newest;
    // How long an attempt lasted is asked if it is abandoned.
    if (attempt || this.#unclocked === 0 || newest?.inFlight !== 0) return undefined;
    this.#unclocked--;
    newest.inFlight = 1;
    newest.undated = true;
    return newest;
  }

  /** Whether a timeout ends a permit, and no lease does. */
  #endsItself(attempt: Attempt | undefined): boolean {
    return !!attempt && attempt.limit < Infinity && attempt.limit > this.rules.longTimeout;
  }

  /** A permit; `apart`: not to be counted with others. */
  give(generation: number, now: number, apart: boolean, attempt: Attempt | undefined): PermitBatch {
    if (this.#endsItself(attempt)) return this.#giveWithoutLease(generation);
    const newest = this.#newest;
    if (newest?.inFlight === 0) {
      newest.inFlight = 1;
      newest.first = now;
      newest.last = now;
      return newest;
    }
    if (newest && now - newest.first <= (apart ? 0 : this.rules.lease / BATCHES)) {
      newest.inFlight++;
      newest.last = now;
      return newest;
    }
    if (newest) this.#unclocked = 0;
    const batch = new PermitBatch(this.holder, generation, now);
    this.#batches.push(batch);
    this.#newest = batch;
    return batch;
  }

  #giveWithoutLease(generation: number): PermitBatch {
    if (this.#withoutLease?.generation !== generation) {
      this.#withoutLease = new PermitBatch(this.holder, generation, 0);
      this.#withoutLease.undated = true;
    } else this.#withoutLease.inFlight++;
    return this.#withoutLease;
  }

  /**
   * Calls that follow each other closely, one at a time, share a reading of the clock, which would cost as much as they
   * do. This one was made.
   */
  share(now: number): void {
    const close = now - this.#givenAt < this.#shared * CLOSE;
    this.#shared = close ? Math.min(2 * this.#shared, MOST_SHARED) : 1;
    // Not while an older permit is out: its lease may end.
    this.#unclocked = this.#batches.length > 1 ? 0 : this.#shared - 1;
    this.#givenAt = now;
  }

  /** The next call looks at the clock. */
  unshare(): void {
    this.#unclocked = 0;
  }

  /** The clock was read. */
  date(now: number): void {
    const newest = this.#newest;
    if (!newest?.undated) return;
    // A permit that is out may have been given at any time since the last reading: its lease must not end too early.
    newest.undated = false;
    newest.last = now;
  }

  /** When the lease of the oldest permit that is out ends. */
  get firstEnd(): number {
    const oldest = this.#oldest();
    return oldest ? oldest.last + this.rules.lease : Infinity;
  }

  /** Whether permits with a lease are out beside those of `batch`. */
  others(batch: PermitBatch): boolean {
    const oldest = this.#oldest();
    return !!oldest && oldest !== batch;
  }

  /** Makes the oldest permits in flight void, and returns how many there were, and of what. */
  lapse(): { readonly inFlight: number; readonly tag: unknown } | undefined {
    const oldest = this.#oldest();
    if (!oldest) return undefined;
    const { inFlight, tag } = oldest;
    oldest.generation = VOID;
    oldest.tag = undefined;
    this.#batches.shift();
    if (oldest === this.#newest) this.#newest = undefined;
    return { inFlight, tag };
  }

  /** Forgets all: what is out belongs to the past. */
  clear(): void {
    this.#batches = [];
    this.#newest = undefined;
    this.#withoutLease = undefined;
    this.#unclocked = 0;
  }

  #oldest(): PermitBatch | undefined {
    while (this.#batches.length > 1 && this.#batches[0]!.inFlight === 0) this.#batches.shift();
    const oldest = this.#batches[0];
    return oldest && oldest.inFlight > 0 ? oldest : undefined;
  }
}
