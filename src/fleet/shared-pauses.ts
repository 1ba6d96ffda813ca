import type { PauseLeft } from "../common/pause.js";
import { sha256 } from "../common/sha256.js";
import { requireSync } from "../common/thenable.js";
import { check, type Rule } from "../common/validate.js";
import { type FleetContext, Line } from "./line.js";
import type { Member } from "./members.js";
import type { FleetPauses } from "./options.js";
import { Origin } from "./origin.js";
import { type AskedPause, isLate, type KnownPause, LONGEST_PAUSE, marginOf, type PauseReply } from "./protocol.js";

/** ms after which what was heard is looked at again. */
const STALE = 5_000;
/** Pauses that a process goes by at most, and keys whose hash it remembers. */
const MOST = 1_000;
const MOST_AT_ONCE = 100;

const KEY: Rule = ["a string that is not empty", "string", (key) => key !== ""];

interface Pause {
  /** On the fleet's clock. */
  until: number;
  length: number;
  /** Until when the others know it to last. */
  told: number;
}

/** A process's part in the pauses of its fleet. */
export class SharedPauses implements Member {
  readonly line: Line;
  readonly #origin = new Origin();
  /** By the hash of what is paused, the last changed last. */
  readonly #known = new Map<string, Pause>();
  /** Those of which the store has not heard. */
  readonly #untold = new Set<string>();
  readonly #hashes = new Map<string, string>();
  #first: Promise<void> | undefined;
  #asking: Promise<void> | undefined;
  #staleAfter: number;
  #toldAt = -Infinity;
  #flush: (() => void) | undefined;
  #closed = false;

  constructor(
    context: FleetContext,
    private readonly name: string,
  ) {
    this.line = new Line(
      context,
      "pauses",
      () => this.look(),
      () => {},
    );
    this.#staleAfter = this.line.about(STALE);
  }

  /** These pauses, as requests are told apart by `key`. */
  by<Q>(key: (request: Q) => string): FleetPauses<Q> {
    return {
      stats: { fleet: this.line.stats },
      pauseOf: (request) => {
        const named: string = requireSync("fleet.pauses: key", key(request));
        check("fleet.pauses", "what key returns", named, KEY);
        const hash = this.#hashOf(named);
        return { left: () => this.#leftOf(hash), pause: (ms) => this.#pause(hash, ms) };
      },
    };
  }

  #hashOf(key: string): string {
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    // The name, which has no space in it, so that two fleets have different hashes of a key.
    const hash = sha256(`${this.name} ${key}`);
    if (this.#hashes.size >= MOST) this.#hashes.clear();
    this.#hashes.set(key, hash);
    return hash;
  }

  #leftOf(hash: string): PauseLeft | undefined | Promise<PauseLeft | undefined> {
    const left = this.#left(hash);
    // What is held back anyway asks later.
    if (left) return left;
    return this.#ask()?.then(() => this.#left(hash));
  }

  #left(hash: string): PauseLeft | undefined {
    const pause = this.#known.get(hash);
    const left = pause ? pause.until - this.line.now : 0;
    return left > 0 ? { left, length: pause!.length } : undefined;
  }

  /** What a call is to wait for, if anything. */
  #ask(): Promise<void> | undefined {
    const { line } = this;
    if (this.#closed) return undefined;
    if (line.lost) {
      if (line.mayTry) this.look();
      return undefined;
    }
    if (line.isNew) return this.ready();
    const age = line.now - line.heardAt;
    if (age > line.context.askAfter) return this.#lookFirst();
    if (age > this.#staleAfter * line.stats.stretch) this.#lookFirst();
    return undefined;
  }

  ready(): Promise<void> {
    this.#first ??= this.#lookFirst();
    return this.#first;
  }

  /** Resolves when the store has replied, or did not in time. One exchange is for all that wait. */
  #lookFirst(): Promise<void> {
    this.#asking ??= this.line
      .inTime((then) => this.look(then))
      .then(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  #pause(hash: string, ms: number): void {
    const pause = this.#extend(hash, ms, ms);
    // The others know it already, as far as such a time is exact.
    if (this.#closed || pause.until <= pause.told + marginOf(ms)) return;
    pause.told = pause.until;
    this.#untold.add(hash);
    this.#tellSoon();
  }

  /** A longer pause stands. */
  #extend(hash: string, left: number, length: number): Pause {
    const until = this.line.now + left;
    const known = this.#known.get(hash);
    if (known && until <= known.until) return known;
    this.#known.delete(hash);
    if (this.#known.size >= MOST) this.#forget();
    const pause = { until, length, told: known?.told ?? -Infinity };
    this.#known.set(hash, pause);
    return pause;
  }

  /** Those that are over; where none is, the oldest. */
  #forget(): void {
    const { now } = this.line;
    for (const [hash, { until }] of this.#known) if (until <= now) this.#drop(hash);
    if (this.#known.size < MOST) return;
    const [oldest] = this.#known.keys();
    this.#drop(oldest!);
  }

  #drop(hash: string): void {
    this.#known.delete(hash);
    this.#untold.delete(hash);
  }

  /** At once, and then no more often than a guard reports. */
  #tellSoon(): void {
    const { line } = this;
    // Calls try it again, and it is told then.
    if (line.lost || this.#flush) return;
    const wait = this.#toldAt + line.interval - line.now;
    if (wait <= 0) return this.look();
    this.#flush = line.later(() => {
      this.#flush = undefined;
      this.look();
    }, wait);
  }

  /** Tells what the store has not heard, and asks what it knows. */
  look(then: () => void = () => {}): void {
    const { line } = this;
    const envelope = { ...line.envelope(), epoch: this.#origin.epoch };
    const answered = this.#origin.asking();
    // By the tick a store knows what comes late. Without one it is only asked.
    const asked = envelope.tick === 0 ? [] : this.#takeUntold();
    // Said twice it is the same pause.
    const tellAgain = () => {
      for (const { key } of asked) if (this.#known.has(key)) this.#untold.add(key);
    };
    line.send(
      { kind: "pause", ...envelope, asked },
      (reply) => {
        this.#staleAfter = line.about(STALE);
        const { epoch, pauses } = reply as PauseReply;
        answered(epoch);
        this.#learn(pauses);
        // A process that slept has a clock that slept: to its store the report was an old one.
        if (isLate(envelope, reply.tick)) tellAgain();
        then();
        if (this.#untold.size > 0) this.#tellSoon();
      },
      () => {
        tellAgain();
        then();
      },
    );
  }

  #takeUntold(): AskedPause[] {
    const asked: AskedPause[] = [];
    for (const hash of this.#untold) {
      if (asked.length === MOST_AT_ONCE) break;
      this.#untold.delete(hash);
      const ms = Math.ceil(this.#left(hash)?.left ?? 0);
      if (ms > 0) asked.push({ key: hash, ms: Math.min(ms, LONGEST_PAUSE) });
    }
    if (asked.length > 0) this.#toldAt = this.line.now;
    return asked;
  }

  /** What a push says, if it is of the store that replies to this process. */
  pushed(epoch: number, pauses: readonly KnownPause[]): void {
    if (this.#origin.isOwn(epoch, () => this.#lookSoon())) this.#learn(pauses);
  }

  #lookSoon(): void {
    this.#flush ??= this.line.later(() => {
      this.#flush = undefined;
      if (!this.line.lost) this.look();
    }, this.line.interval);
  }

  #learn(pauses: readonly KnownPause[]): void {
    // The newest come first, and are to be forgotten last.
    for (const { key, remaining, length } of [...pauses].reverse()) {
      // Whoever can write to the store can write anything.
      const left = Math.min(remaining, LONGEST_PAUSE);
      if (left <= 0) continue;
      const pause = this.#extend(key, left, Math.min(length, LONGEST_PAUSE));
      pause.told = Math.max(pause.told, this.line.now + left);
    }
  }

  /** It is this process's own again. */
  close(): void {
    this.#closed = true;
    this.line.close();
    this.#untold.clear();
  }
}
