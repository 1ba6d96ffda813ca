import type { Clock } from "../common/clock.js";
import { LruMap } from "../common/lru-map.js";
import type { Pause, PauseLeft } from "../common/pause.js";
import { testSwitch } from "../common/test-switch.js";

/** Origins that asked to be left alone for a while. */
export class PausedOrigins {
  readonly #pauses: LruMap<{ until: number; length: number }>;

  constructor(max: number) {
    this.#pauses = new LruMap(max, () => ({ until: -Infinity, length: 0 }));
  }

  pauseOf(origin: string, clock: Clock): Pause {
    return {
      left: () => {
        const { until, length } = this.#pauses.get(origin);
        const left = until - clock.now();
        return left > 0 ? { left, length } : undefined;
      },
      pause: (ms) => {
        const pause = this.#pauses.get(origin);
        const until = clock.now() + ms;
        if (until <= pause.until) return;
        pause.until = until;
        pause.length = ms;
      },
    };
  }
}

/** What speaks for a whole host, and not for one resource: 529 is how some say that they are overloaded. */
const PAUSING: readonly number[] = [429, 503, 529];

/** Whether a response of this status that says how long to wait says so to others, too. */
export function speaksForAll(status: number): boolean {
  return PAUSING.includes(status);
}

export interface Waiting {
  readonly done: Promise<void>;
  cancel(): void;
}

/**
 * Waits a pause out, and then for up to half of it again, so that not all come at once. `undefined` where there is none, where
 * it lasts for longer than `most`, and in a test run that switched waits off.
 */
export function waitOut(
  pause: PauseLeft | undefined,
  most: number,
  { clock, random, unref }: { clock: Clock; random: () => number; unref?: boolean | undefined },
): Waiting | undefined {
  if (!pause || pause.left > most || testSwitch()?.waits === false) return undefined;
  const { left, length } = pause;
  let cancel = () => {};
  const done = new Promise<void>((resolve) => {
    cancel = clock.setTimer(resolve, left + (random() * Math.min(length, most)) / 2, unref);
  });
  return { done, cancel };
}
