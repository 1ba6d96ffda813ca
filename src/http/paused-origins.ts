import type { Clock } from "../common/clock.js";
import { LruMap } from "../common/lru-map.js";
import { testSwitch } from "../common/test-switch.js";

interface Pause {
  /** On the clock's time. */
  until: number;
  /** ms that the server asked for: what the spread of the calls held back is taken from. */
  length: number;
}

/** What speaks for a whole host, and not for one resource: 529 is how some say that they are overloaded. */
const PAUSING: readonly number[] = [429, 503, 529];

/** Origins that asked to be left alone for a while. */
export class PausedOrigins {
  readonly #pauses: LruMap<Pause>;

  constructor(max: number) {
    this.#pauses = new LruMap(max, () => ({ until: -Infinity, length: 0 }));
  }

  /** No call to `origin` for `ms` from now, where a response of this status asks for that; a longer pause stands. */
  pause(origin: string, status: number, ms: number, now: number): void {
    if (!PAUSING.includes(status)) return;
    const pause = this.#pauses.get(origin);
    if (now + ms <= pause.until) return;
    pause.until = now + ms;
    pause.length = ms;
  }

  /**
   * Waits until `origin` may be called, and then for up to half of the pause again, so that not all come at once.
   * `undefined` where there is nothing to wait for, and in a test run that switched waits off.
   */
  wait(origin: string, clock: Clock, random: () => number, unref?: boolean): Waiting | undefined {
    const { until, length } = this.#pauses.get(origin);
    const ms = until - clock.now();
    if (ms <= 0 || testSwitch()?.waits === false) return undefined;
    let cancel = () => {};
    const done = new Promise<void>((resolve) => {
      cancel = clock.setTimer(resolve, ms + (random() * length) / 2, unref);
    });
    return { done, cancel };
  }
}

export interface Waiting {
  readonly done: Promise<void>;
  cancel(): void;
}
