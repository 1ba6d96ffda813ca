import type { Clock } from "../common/clock.js";
import { withShortStacks } from "./short-stacks.js";
import { inTasks } from "./tasks.js";

/** Time for a simulation: it passes as fast as events can be played. */
export interface SimulationClock extends Clock {
  /** Plays every event up to `until`, and all that follows from it. Rejects with what an event throws. */
  run(until?: number): Promise<void>;
  /** Ends the run, whatever is still to come. */
  stop(): void;
  /** Ends the run: it rejects with `error`. */
  fail(error: unknown): void;
  /** Events waiting. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly age: number;
  readonly fn: () => void;
  /** Where it stands in the heap, -1 once it has fired or was cancelled. */
  place: number;
}

// Events that are played together cost a fraction of a turn of the event loop each.
const BATCH = 1_000;

/** Events at the same instant fire in the order in which they were set, each with what follows from it. */
export function simulationClock(): SimulationClock {
  let time = 0;
  let count = 0;
  const heap: Timer[] = [];

  const put = (timer: Timer, place: number) => {
    heap[place] = timer;
    timer.place = place;
  };

  const rise = (timer: Timer, from: number) => {
    let place = from;
    while (place > 0) {
      const parent = heap[(place - 1) >> 1]!;
      if (!isBefore(timer, parent)) break;
      put(parent, place);
      place = (place - 1) >> 1;
    }
    put(timer, place);
  };

  const sink = (timer: Timer, from: number) => {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, timer)) break;
      put(heap[child]!, place);
      place = child;
    }
    put(timer, place);
  };

  // At once, not when it would be due: a timeout per attempt, cancelled by nearly all, would fill the heap.
  const remove = (timer: Timer) => {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    const last = heap.pop()!;
    if (last === timer) return;
    if (isBefore(last, timer)) rise(last, place);
    else sink(last, place);
  };

  let failure: { error: unknown } | undefined;
  let stopped = false;

  const fireNext = (until: number) => {
    const next = heap[0];
    if (!next || next.at > until || stopped || failure) return;
    remove(next);
    time = next.at;
    try {
      next.fn();
    } catch (error) {
      failure = { error };
    }
  };

  return {
    now: () => time,

    setTimer(fn, ms) {
      const timer: Timer = { at: time + ms, age: count++, fn, place: heap.length };
      rise(timer, heap.length);
      return () => remove(timer);
    },

    async run(until = Infinity) {
      stopped = false;
      do {
        await withShortStacks(() => inTasks(BATCH, () => fireNext(until)));
        if (failure) throw failure.error;
      } while (heap.length > 0 && heap[0]!.at <= until && !stopped);
    },

    stop() {
      stopped = true;
    },

    fail(error) {
      failure ??= { error };
    },

    get pending() {
      return heap.length;
    },
  };
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.age < other.age);
}
