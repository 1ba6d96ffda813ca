import type { CircuitBreakerOptions, CircuitVerdict } from "undaunted";

/** Stands for the error that the breaker itself makes when a lease ends. */
export const LEASE_ENDED = new Error("lease ended");

/** The options, with what is left out filled in. */
export interface Limits {
  readonly consecutiveFailures: number;
  readonly failureRate: number;
  readonly slowRate: number;
  readonly slowAfter: number;
  readonly window: { readonly calls?: number; readonly ms?: number };
  readonly minimumCalls: number;
  readonly halfOpen: { readonly calls: number; readonly failureRate: number; readonly slowRate: number };
  readonly openFor: (openings: number) => number;
  readonly maxOpenFor: number;
  readonly lease: number;
}

export function limitsOf(options: CircuitBreakerOptions): Limits {
  const { failureRate, slowRate, openFor = 30_000, halfOpen = {} } = options;
  const rated = failureRate !== undefined || slowRate !== undefined;
  const window: Limits["window"] = options.window ?? { calls: 100 };
  return {
    consecutiveFailures: options.consecutiveFailures ?? (rated ? Infinity : 5),
    failureRate: failureRate ?? Infinity,
    slowRate: slowRate ?? Infinity,
    slowAfter: options.slowAfter ?? Infinity,
    window,
    minimumCalls: options.minimumCalls ?? Math.min(20, window.calls ?? 20),
    halfOpen: {
      calls: halfOpen.calls ?? 1,
      failureRate: halfOpen.failureRate ?? failureRate ?? Infinity,
      slowRate: halfOpen.slowRate ?? slowRate ?? Infinity,
    },
    openFor: typeof openFor === "number" ? () => openFor : openFor,
    maxOpenFor: options.maxOpenFor ?? 3_600_000,
    lease: options.lease ?? Math.max(60_000, options.slowAfter ?? 0),
  };
}

/** From one change of state, `isolate()` or `close()` to the next. */
interface Era {
  readonly name: "closed" | "open" | "half-open" | "isolated";
  /** Openings in a row. */
  readonly openings: number;
  /** open: when it ends; closed: when the openings in a row are forgotten. */
  readonly until: number;
  /** ms that the last opening took. */
  readonly lasted: number;
  /** When the first bucket of its window began, were it to reach back to then. */
  readonly zero: number;
}

export interface Permit {
  readonly era: Era;
  readonly at: number;
  end?: "recorded" | "ignored";
}

interface Result {
  readonly era: Era;
  readonly at: number;
  readonly failed: boolean;
  readonly slow: boolean;
  readonly comeBackAt: number;
  readonly error: unknown;
  /** Of the breaker that this one was restored from. */
  readonly inherited?: boolean;
}

/**
 * A circuit breaker as plainly as it can be said: it keeps all that ever happened, and works everything out anew from
 * that. It knows nothing of slices: let no two calls go in CLOSED within a sixteenth of a lease, unless at one instant.
 */
export class CircuitModel {
  readonly changes: string[] = [];
  readonly refusals: (number | undefined)[] = [];
  readonly permits: Permit[] = [];
  private readonly results: Result[] = [];
  private readonly eras: Era[];

  constructor(
    private readonly limits: Limits,
    /** When this breaker's clock showed 0. */
    private readonly clockZero = 0,
    first: Era = { name: "closed", openings: 0, until: 0, lasted: 0, zero: clockZero },
    inherited: readonly Result[] = [],
  ) {
    this.eras = [first];
    this.results.push(...inherited.map((result) => ({ ...result, era: first, inherited: true })));
  }

  get era(): Era {
    return this.eras.at(-1)!;
  }

  /** Permits that are out. */
  get out(): Permit[] {
    return this.permits.filter(({ era, end }) => era === this.era && !end);
  }

  get stats() {
    const own = this.results.filter(({ inherited }) => !inherited);
    return {
      successes: own.filter(({ failed }) => !failed).length,
      failures: own.filter(({ failed }) => failed).length,
      ignored: this.permits.filter(({ end }) => end === "ignored").length,
      slow: own.filter(({ slow }) => slow).length,
      refused: this.refusals.length,
      openings: this.changes.filter((change) => change.endsWith("> open")).length,
    };
  }

  /** The last failure since it was closed last. */
  get cause(): unknown {
    const since = this.eras.map(({ name }) => name).lastIndexOf("closed");
    const eras = this.eras.slice(Math.max(0, since));
    return this.results.filter(({ era, failed, inherited }) => failed && !inherited && eras.includes(era)).at(-1)
      ?.error;
  }

  /** The breaker is called or looked at: what became due before shows. */
  look(now: number): void {
    for (;;) {
      const due = this.out.filter(({ at }) => at + this.limits.lease <= now).sort((a, b) => a.at - b.at);
      if (due.length === 0) break;
      const at = due[0]!.at + this.limits.lease;
      this.record(due[0]!, { at, failed: true, slow: true, comeBackAt: -Infinity, error: LEASE_ENDED });
    }
    if (this.era.name === "open" && this.era.until <= now) this.enter({ ...this.era, name: "half-open" });
  }

  /** A call asks to be let through: a permit, or ms until it is worth coming back. */
  ask(now: number): Permit | { readonly retryAfter: number | undefined } {
    this.look(now);
    const { era } = this;
    const taken = this.permits.filter((permit) => permit.era === era && permit.end !== "ignored").length;
    if (era.name === "closed" || (era.name === "half-open" && taken < this.limits.halfOpen.calls)) {
      const permit: Permit = { era, at: now };
      this.permits.push(permit);
      return permit;
    }
    const oldest = Math.min(...this.out.map(({ at }) => at));
    const comeBackAt = { open: era.until, "half-open": oldest + this.limits.lease, isolated: undefined }[era.name];
    const retryAfter = comeBackAt === undefined ? undefined : comeBackAt - now;
    this.refusals.push(retryAfter);
    return { retryAfter };
  }

  /** A call that had been let through ended. */
  end(permit: Permit, verdict: CircuitVerdict, error: unknown, retryAfter: number | undefined, now: number): void {
    this.look(now);
    if (permit.era !== this.era || permit.end) return;
    if (verdict === "ignored") {
      permit.end = "ignored";
      return;
    }
    const failed = verdict === "failure";
    const slow = now - permit.at >= this.limits.slowAfter;
    this.record(permit, {
      at: now,
      failed,
      slow,
      comeBackAt: failed && retryAfter !== undefined ? now + retryAfter : -Infinity,
      error,
    });
  }

  isolate(now: number): void {
    this.look(now);
    this.enter({ ...this.era, name: "isolated" });
  }

  close(now: number): void {
    this.look(now);
    this.enter({ name: "closed", openings: 0, until: now, lasted: 0, zero: this.clockZero });
  }

  /** The breaker that takes up where this one is now. */
  restored(now: number, clockZero: number): CircuitModel {
    this.look(now);
    const { era } = this;
    if (era.name !== "closed") {
      const name = era.name === "half-open" ? "open" : era.name;
      const until = era.name === "open" ? era.until : now;
      return new CircuitModel(this.limits, clockZero, { ...era, name, until });
    }
    const results = this.results.filter((result) => result.era === era);
    // An empty window has no buckets whose bounds it would have to keep.
    const zero = this.seen(now).length > 0 ? era.zero : now;
    return new CircuitModel(this.limits, clockZero, { ...era, zero }, results);
  }

  /** Times at which something changes by itself. */
  get dates(): number[] {
    const { lease, slowAfter, window } = this.limits;
    const { era } = this;
    const results = this.results.filter((result) => result.era === era);
    const leave = window.ms ? results.map(({ at }) => era.zero + ((this.bucket(at) + 10) * window.ms!) / 10) : [];
    return [era.until, ...leave, ...this.out.flatMap(({ at }) => [at + lease, at + slowAfter])].filter(Number.isFinite);
  }

  private record(permit: Permit, result: Omit<Result, "era">): void {
    permit.end = "recorded";
    this.results.push({ ...result, era: this.era });
    if (this.era.name === "closed") this.judgeClosed(result.at);
    else this.judgeHalfOpen(result.at);
  }

  private judgeClosed(now: number): void {
    const { consecutiveFailures, failureRate, slowRate, minimumCalls } = this.limits;
    const results = this.results.filter(({ era }) => era === this.era);
    const streak = results.length - 1 - results.map(({ failed }) => failed).lastIndexOf(false);
    const seen = this.seen(now);
    const share = (of: (result: Result) => boolean) => seen.filter(of).length / seen.length;
    const exceeds = share(({ failed }) => failed) >= failureRate || share(({ slow }) => slow) >= slowRate;
    if (streak < consecutiveFailures && !(seen.length >= minimumCalls && exceeds)) return;
    this.open(now, now < this.era.until ? this.era.openings : 0);
  }

  /** The results in the window. */
  private seen(now: number): Result[] {
    const { calls, ms } = this.limits.window;
    const results = this.results.filter(({ era }) => era === this.era);
    if (ms === undefined) return results.slice(-calls!);
    return results.filter(({ at }) => this.bucket(at) > this.bucket(now) - 10);
  }

  private bucket(at: number): number {
    return Math.floor((at - this.era.zero) / (this.limits.window.ms! / 10));
  }

  private judgeHalfOpen(now: number): void {
    const { calls, failureRate, slowRate } = this.limits.halfOpen;
    const results = this.results.filter(({ era }) => era === this.era);
    const failures = results.filter(({ failed }) => failed).length;
    const slow = results.filter((result) => result.slow).length;
    const opens = (failures: number, slow: number) =>
      (failureRate < Infinity ? failures / calls >= failureRate : failures > 0) || slow / calls >= slowRate;
    if (opens(failures, slow)) {
      this.open(now, this.era.openings);
      return;
    }
    const upTo = Array.from({ length: calls - results.length + 1 }, (_, more) => more);
    const mayOpen = upTo.some((more) => upTo.some((moreSlow) => opens(failures + more, slow + moreSlow)));
    if (mayOpen) return;
    this.enter({ ...this.era, name: "closed", until: now + this.era.lasted, zero: this.clockZero });
  }

  private open(now: number, openingsBefore: number): void {
    const { openFor, maxOpenFor } = this.limits;
    const openings = openingsBefore + 1;
    const asked = this.results.filter(({ era }) => era === this.era).map(({ comeBackAt }) => comeBackAt - now);
    const lasted = Math.min(Math.max(openFor(openings), ...asked), maxOpenFor);
    this.enter({ ...this.era, name: "open", openings, until: now + lasted, lasted });
  }

  private enter(era: Era): void {
    if (era.name !== this.era.name) this.changes.push(`${this.era.name} > ${era.name}`);
    this.eras.push(era);
  }
}
