/** Time as an async policy needs it. */
export interface Clock {
  /** ms from any fixed point, never going back. */
  now(): number;
  /** Calls `fn` once after `ms`; answers a function that cancels it. `unref`: do not keep the process alive for it. */
  setTimer(fn: () => void, ms: number, unref?: boolean): () => void;
}

/** Time as a sync policy needs it. */
export interface SyncClock {
  /** ms from any fixed point, never going back. */
  now(): number;
  /** Blocks the thread for `ms`. */
  sleepSync(ms: number): void;
}

// Runtimes keep a timer's delay in a signed 32-bit integer and fire one that does not fit after 1 ms.
const LONGEST_TIMER = 2 ** 31 - 1;

function setTimer(fn: () => void, ms: number, unref = false): () => void {
  if (ms > LONGEST_TIMER) {
    let cancel = setTimer(
      () => {
        cancel = setTimer(fn, ms - LONGEST_TIMER, unref);
      },
      LONGEST_TIMER,
      unref,
    );
    return () => cancel();
  }
  const timer: ReturnType<typeof setTimeout> & { unref?(): void } = setTimeout(fn, ms);
  if (unref) timer.unref?.();
  return () => clearTimeout(timer);
}

function sleepSync(ms: number): void {
  if (!(ms > 0)) return;
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  } catch (cause) {
    // A browser's main thread refuses to block, and a page without cross-origin isolation has no SharedArrayBuffer.
    throw new Error(`retrySync: this thread may not block, so it cannot sleep ${ms} ms; use retry() or waitNone`, {
      cause,
    });
  }
}

const now = () => performance.now();

/** The system's monotonic clock. Globals are looked up at call time, so that fake timers work. */
export const systemClock: Clock = { now, setTimer };

/** The same for sync policies. */
export const systemSyncClock: SyncClock = { now, sleepSync };
