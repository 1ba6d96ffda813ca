import { type FleetRequest, isLate } from "../protocol.js";
import { Reporters } from "./reporters.js";

/** ms for which what was reported is remembered. */
export const KEPT = 60_000;
/** ms for which a slot of nonces is open: two of them are as long as a report may be late. */
const SLOT = 1_000;
const KNOWN_BITS = 2_048;
const KNOWN_FOR = 10_000;
const MOST_STRETCH = 1_000;
/** The part of its exchanges that a guard aims at. */
const AIM = 0.9;
/** The part of them that is left for reports in any case, as a divisor. */
const LEAST_ROOM = 4;

/** e^(-passed/span) in whole billionths, so that every language gets the same. */
export function decay(passed: number, span: number): number {
  return Math.floor(Math.exp(-passed / span) * 1e9 + 0.5) / 1e9;
}

/** Something per second, over the last 15 s of a time that may stand still. */
export class Rate {
  private sum = 0;
  private weight = 0;

  constructor(private at: number) {}

  /** It is known from before. */
  begin(perSecond: number): void {
    this.sum = perSecond;
    this.weight = 1;
  }

  /** Time has stood still until `now`. */
  skip(now: number): void {
    this.at = now;
  }

  add(count: number, now: number): void {
    const left = decay(Math.max(0, now - this.at), 15_000);
    this.at = now;
    this.sum = this.sum * left + count / 15;
    this.weight = this.weight * left + (1 - left);
  }

  /** As if there had been at least a second. */
  get perSecond(): number {
    return this.sum / Math.max(this.weight, 1 - decay(1_000, 15_000));
  }
}

/** What a store keeps of any guard. */
export class Kept {
  expireAt = Infinity;
  stretch = 1;
  known = 1;
  last: number;
  private second: number;
  private count = 0;
  private others = 0;
  private knownAt = -1;
  readonly #nonces = [
    { index: -1, seen: new Set<number>() },
    { index: -1, seen: new Set<number>() },
  ];
  readonly #reporters = new Reporters(KNOWN_BITS, KNOWN_FOR, 4);

  constructor(now: number) {
    this.last = now;
    this.second = Math.floor(now / 1_000);
  }

  /** Notes an exchange; returns whether it came before, and whether what it reports is too old to count. */
  meet(request: FleetRequest, now: number): { again: boolean; late: boolean } {
    const { reporter, nonce } = request;
    const index = Math.floor(now / SLOT);
    const slot = this.#nonces[index % 2]!;
    if (slot.index !== index) {
      slot.index = index;
      slot.seen.clear();
    }
    const again = this.#nonces.some((each) => each.index >= index - 1 && each.index <= index && each.seen.has(nonce));
    slot.seen.add(nonce);
    this.#reporters.add(reporter, now);
    return { again, late: isLate(request, now) };
  }

  /** Processes heard of, counted anew. */
  countKnown(now: number): number {
    this.knownAt = Math.floor(now / 1_000);
    this.known = Math.max(1, this.#reporters.count(now));
    return this.known;
  }

  refreshKnown(now: number): void {
    if (this.knownAt !== Math.floor(now / 1_000)) this.countKnown(now);
  }

  /** Counts an exchange that a longer wait would have spared: there may be so many of them as others leave room for. */
  countReport(most: number, now: number): void {
    const second = Math.floor(now / 1_000);
    if (second !== this.second) {
      const room = Math.max(most * AIM - this.others, most / LEAST_ROOM);
      this.stretch = this.#next(this.stretch * (this.count / room), second);
      this.second = second;
      this.count = 0;
      this.others = 0;
    }
    this.count++;
  }

  /** Counts one that no wait would have spared: it does not lengthen the waits, but by leaving less room. */
  countOther(): void {
    this.others++;
  }

  #next(wanted: number, second: number): number {
    const missed = second - this.second > 1 ? 1 : wanted;
    return Math.min(Math.max(missed, this.stretch / 2, 1), MOST_STRETCH);
  }

  /** How much longer to wait, where this second has had too many already, too. */
  stretchNow(most: number): number {
    return Math.min(Math.max(this.stretch, this.stretch * (this.count / most)), MOST_STRETCH);
  }
}
