import { startTimer, stopTimer, systemNow, type Timer, whenIoHadItsTurn } from "../common/clock.js";

/** Something whose time can be up. */
export interface Timed {
  /** By the system's clock. */
  readonly startedAt: number;
  /** The links of its queue: nobody else writes to them. */
  earlier: Timed | undefined;
  later: Timed | undefined;
  timeUp(): void;
}

// Timers are kept to a millisecond: one that fires within the last may be early.
const TOLERANCE = 1;

/**
 * Timeouts of one length: they are due in the order in which they began, so one timer serves them all. It is set for the
 * first in line and not cleared when that leaves: timers are most of what a timeout costs, and hardly one is needed.
 */
export class DeadlineQueue {
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: Timer | undefined;
  /** The timer came late, and what is due ends after the turn of input and output. */
  #waits = false;

  constructor(
    private readonly ms: number,
    private readonly unref: boolean,
  ) {}

  add(timed: Timed): void {
    timed.earlier = this.#last;
    if (this.#last) this.#last.later = timed;
    else this.#first = timed;
    this.#last = timed;
    if (this.#waits) return;
    if (!this.#timer) this.#arm(this.ms);
    else if (!this.unref && !timed.earlier) this.#timer.ref?.();
  }

  remove(timed: Timed): void {
    const { earlier, later } = timed;
    if (!earlier && this.#first !== timed) return;
    if (earlier) earlier.later = later;
    else this.#first = later;
    if (later) later.earlier = earlier;
    else this.#last = earlier;
    timed.earlier = undefined;
    timed.later = undefined;
    if (!this.#first && this.#timer) this.#idle(this.#timer);
  }

  /** Nothing is in line: the timer must not keep the process alive. */
  #idle(timer: Timer): void {
    if (timer.unref) timer.unref();
    else {
      stopTimer(timer);
      this.#timer = undefined;
    }
  }

  #arm(ms: number): void {
    this.#timer = startTimer(this.#fired, ms, this.unref);
  }

  readonly #fired = (): void => {
    const time = systemNow();
    this.#timer = undefined;
    // A timer that comes late was kept waiting by this process, and the answer may be there: it goes first.
    this.#waits = !!this.#first && time - this.#first.startedAt - this.ms > TOLERANCE;
    if (this.#waits) whenIoHadItsTurn(() => this.#endDue(time), this.unref);
    else this.#endDue(time);
  };

  /** Ends what was due at `time`, before the turn of input and output: what came due since then has had none. */
  #endDue(time: number): void {
    this.#waits = false;
    for (let first = this.#first; first && first.startedAt + this.ms - time < TOLERANCE; first = this.#first) {
      this.remove(first);
      first.timeUp();
    }
    if (this.#first) this.#arm(Math.max(1, this.#first.startedAt + this.ms - systemNow()));
  }
}
