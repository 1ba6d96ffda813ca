import {
  type FleetNews,
  type KnownPause,
  LONGEST_PAUSE,
  marginOf,
  type PauseReply,
  type PauseRequest,
} from "../protocol.js";
import { KEPT, Kept } from "./common.js";

/** Pauses that are kept at most: then the oldest goes. */
const MOST = 1_000;

interface Pause {
  until: number;
  readonly length: number;
  /** When it began, or became longer. */
  at: number;
}

/** The pauses of a fleet as the store keeps them. */
export class StoredPauses extends Kept {
  /** The last changed last. */
  readonly #pauses = new Map<string, Pause>();
  #until = 0;
  readonly #epoch: number;

  constructor({ epoch, nonce }: PauseRequest, now: number) {
    super(now);
    this.#epoch = epoch === 0 ? nonce : epoch;
  }

  exchange(request: PauseRequest, at: number): { reply: PauseReply; news?: FleetNews } {
    const now = this.#pass(at);
    const { again, late } = this.meet(request, now);
    this.refreshKnown(now);
    this.countReport(request.most, now);
    const changed =
      again || late ? [] : request.asked.filter(({ key, ms }) => this.#pause(key, Math.min(ms, LONGEST_PAUSE), now));
    if (changed.length > 0) this.#forget(now);
    this.expireAt = Math.max(now + KEPT, this.#until);
    const { known } = this;
    const epoch = this.#epoch;
    const stretch = this.stretchNow(request.most);
    const since = this.#since(request.tick, now);
    const reply: PauseReply = { kind: "pause", tick: now, stretch, known, epoch, pauses: since };
    if (changed.length === 0) return { reply };
    const pauses = changed.map(({ key, ms }) => ({
      key,
      remaining: Math.min(ms, LONGEST_PAUSE),
      length: Math.min(ms, LONGEST_PAUSE),
    }));
    return { reply, news: { kind: "pause", epoch, pauses } };
  }

  /** The time as it goes here, where clocks are set back. */
  #pass(now: number): number {
    const back = this.last - now;
    if (back > 0 && back <= 1_000) return this.last;
    if (back > 0) {
      this.#until -= back;
      for (const pause of this.#pauses.values()) {
        pause.until -= back;
        pause.at -= back;
      }
    }
    this.last = now;
    return now;
  }

  #pause(key: string, ms: number, now: number): boolean {
    const until = now + ms;
    if (ms <= 0 || until <= (this.#pauses.get(key)?.until ?? 0) + marginOf(ms)) return false;
    this.#pauses.delete(key);
    this.#pauses.set(key, { until, length: ms, at: now });
    this.#until = Math.max(this.#until, until);
    return true;
  }

  #forget(now: number): void {
    for (const [key, { until }] of this.#pauses) if (until <= now) this.#pauses.delete(key);
    for (const key of this.#pauses.keys()) {
      if (this.#pauses.size <= MOST) return;
      this.#pauses.delete(key);
    }
  }

  #since(tick: number, now: number): KnownPause[] {
    const from = tick > now ? 0 : tick;
    return [...this.#pauses]
      .reverse()
      .filter(([, { at, until }]) => at >= from && until > now)
      .map(([key, { until, length }]) => ({ key, remaining: until - now, length }));
  }
}
