import type { Result } from "../circuit/machine.js";
import type { Line } from "./line.js";

/** What one exchange tells of a breaker's calls. */
export interface Reported {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** ms: the longest that a failure asked for. */
  readonly retryAfter: number;
  /** 1: the process's own breaker opened. */
  readonly vote: number;
}

const NOTHING = { calls: 0, failures: 0, slow: 0, retryAfter: 0, vote: 0 };

/** Gathers what a process has to tell of its breaker, and sends it no more often than the fleet wants to hear of it. */
export class BreakerReport {
  #counts = { ...NOTHING };
  /** It is sent in any case: what was heard is old. */
  #due = false;
  #flush: (() => void) | undefined;

  constructor(
    private readonly line: Line,
    private readonly send: (report: Reported) => void,
  ) {}

  add(result: Result, now: number): void {
    const { weight } = this.line;
    if (weight === 0) {
      // The store has asked for fewer exchanges: a look is one, too.
      this.#due = false;
      return;
    }
    const counts = this.#counts;
    counts.calls += weight;
    if (result.failed) counts.failures += weight;
    if (result.slow) counts.slow += weight;
    counts.retryAfter = Math.max(counts.retryAfter, askedFor(result, now));
    this.#sendSoon();
  }

  /** The process's own breaker opened. */
  vote(): void {
    this.#counts.vote = 1;
    this.#sendSoon();
  }

  /** Asks with the next report. Not at once: what the call that is about to be made reports may be all that has to be said. */
  refresh(): void {
    this.#due = true;
    this.#sendSoon();
  }

  /** What was gathered belongs to the past. */
  clear(): void {
    this.#counts = { ...NOTHING };
  }

  #sendSoon(): void {
    this.#flush ??= this.line.later(() => {
      this.#flush = undefined;
      const report = this.#counts;
      this.clear();
      if (this.line.lost || !(report.calls > 0 || report.vote > 0 || this.#due)) return;
      this.#due = false;
      this.send(report);
    }, this.line.interval);
  }
}

/** ms that a failure asked for. */
export function askedFor({ comeBackAt }: Result, now: number): number {
  return Math.max(0, Math.round(comeBackAt - now));
}
