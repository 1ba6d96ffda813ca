import type { AbandonListener, Attempt } from "../common/current.js";

// Permits that were given within so large a part of a lease are counted together.
const BATCHES = 16;
// So many calls in a row may share a reading of the clock, where they follow each other so closely (ms).
const MOST_SHARED = 64;
const CLOSE = 0.05;
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
  #back = false;

  constructor(
    private readonly holder: Holder,
    private readonly batch: PermitBatch,
    private attempt: Attempt | undefined,
    private readonly givenAt: number,
  ) {
    attempt?.onAbandoned(this);
  }

  readonly succeeded = <T>(value: T): T =>
    this.#return() ? this.holder.succeeded(this.batch, value, this.givenAt) : value;

  readonly failed = (error: unknown): never => {
    if (this.#return()) this.holder.failed(this.batch, error, this.givenAt);
    throw error;
  };

  abandoned(reason: unknown, timedOut: boolean): void {
    if (this.#return()) this.holder.abandoned(this.batch, reason, timedOut, this.givenAt);
  }

  /** Whether it had not come back before. */
  #return(): boolean {
    if (this.#back) return false;
    this.#back = true;
    this.attempt?.offAbandoned(this);
    // An error that keeps this permit must not keep the attempt, which keeps the error before.
    this.attempt = undefined;
    return true;
  }
}

/** The permits of one generation that are out, and since when. */
export class Permits {
  // The oldest first; only the newest gets permits.
  #batches: PermitBatch[] = [];
  #newest: PermitBatch | undefined;
  /** The next calls may go without a look at the clock. */
  #unclocked = 0;
  #shared = 1;
  /** When a permit was last given by the clock. */
  #givenAt = -Infinity;

  constructor(
    private readonly holder: Holder,
    private readonly lease: number,
  ) {}

  /** A permit without a look at the clock, where one may be had. */
  takeWithoutClock(): PermitBatch | undefined {
    const newest = this.#newest;
    if (this.#unclocked === 0 || newest?.inFlight !== 0) return undefined;
    this.#unclocked--;
    newest.inFlight = 1;
    newest.undated = true;
    return newest;
  }

  /** A permit; `apart`: not to be counted with others. */
  give(generation: number, now: number, apart: boolean): PermitBatch {
    const newest = this.#newest;
    if (newest?.inFlight === 0) {
      newest.inFlight = 1;
      newest.first = now;
      newest.last = now;
      return newest;
    }
    if (newest && now - newest.first <= (apart ? 0 : this.lease / BATCHES)) {
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

  /** A permit that no lease ends, since something else surely does. */
  giveWithoutLease(generation: number, now: number): PermitBatch {
    return new PermitBatch(this.holder, generation, now);
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
    return oldest ? oldest.last + this.lease : Infinity;
  }

  /** Makes the oldest permits in flight void, and returns how many there were. */
  lapse(): number {
    const oldest = this.#oldest();
    if (!oldest) return 0;
    const { inFlight } = oldest;
    oldest.generation = VOID;
    this.#batches.shift();
    if (oldest === this.#newest) this.#newest = undefined;
    return inFlight;
  }

  /** Forgets all: what is out belongs to the past. */
  clear(): void {
    this.#batches = [];
    this.#newest = undefined;
    this.#unclocked = 0;
  }

  #oldest(): PermitBatch | undefined {
    while (this.#batches.length > 1 && this.#batches[0]!.inFlight === 0) this.#batches.shift();
    const oldest = this.#batches[0];
    return oldest && oldest.inFlight > 0 ? oldest : undefined;
  }
}
