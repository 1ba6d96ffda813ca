/** Time as an async policy needs it. */
export interface Clock {
  /** ms from any fixed point, never going back. */
  now(): number;
  /** Calls `fn` once after `ms`; returns a function that cancels it. `unref`: do not keep the process alive for it. */
  setTimer(fn: () => void, ms: number, unref?: boolean): () => void;
}

/** Time as a sync policy needs it. */
export interface SyncClock {
  /** ms from any fixed point, never going back. */
  now(): number;
  /** Blocks the thread for `ms`. */
  sleepSync(ms: number): void;
}

/** A timer of the runtime's: Node's can be kept from keeping the process alive, a browser's is a number. */
export interface Timer {
  ref?(): unknown;
  unref?(): unknown;
}

// Runtimes keep a timer's delay in a signed 32-bit integer and fire one that does not fit after 1 ms.
const LONGEST_TIMER = 2_147_483_647;

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
  const timer = kept(setTimeout(fn, ms), unref);
  return () => clearTimeout(timer as unknown as number);
}

function kept(timer: unknown, unref: boolean): Timer {
  if (unref) (timer as Timer).unref?.();
  return timer as Timer;
}

// As they were when this module was loaded: fake ones come and go.
const systemTimeout = /* @__PURE__ */ (() => globalThis.setTimeout)();
const systemPerformance = /* @__PURE__ */ (() => globalThis.performance)();
const systemImmediate = /* @__PURE__ */ (() =>
  (globalThis as { setImmediate?: (fn: () => void) => Timer }).setImmediate)();
const performanceNow = /* @__PURE__ */ (() => systemPerformance?.now)();
// It may have been loaded under fake ones, which have a clock.
const isSystem = /* @__PURE__ */ (() => !!systemTimeout && !("clock" in systemTimeout))();
let readsSystem = false;

/** Whether a bare timer can be set for so long. */
export function isShort(ms: number): boolean {
  return ms <= LONGEST_TIMER;
}

/** ms by the system's monotonic clock. */
export function now(): number {
  // A getter in Node: read once, and by its bare name, which is the quicker.
  const current = performance;
  readsSystem = current === systemPerformance && current.now === performanceNow;
  return current.now();
}

/** Whether timers, and time as it was last read, are the system's own. */
export function hasSystemTime(): boolean {
  return readsSystem && isSystem && globalThis.setTimeout === systemTimeout;
}

/** What `now` reads where time is the system's own, also while fake time is there for others. */
export function systemNow(): number {
  return performanceNow.call(systemPerformance);
}

/** A bare timer of the system's own, of at most 2^31-1 ms. */
export function startTimer(fn: () => void, ms: number, unref: boolean): Timer {
  return kept(systemTimeout(fn, ms), unref);
}

export function stopTimer(timer: Timer): void {
  clearTimeout(timer as unknown as number);
}

/** Calls `fn` when input and output have had one turn of the event loop. */
export function whenIoHadItsTurn(fn: () => void, unref: boolean): void {
  kept(systemImmediate ? systemImmediate(fn) : systemTimeout(fn, 0), unref);
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

/** The system's monotonic clock, for what only reads it. Globals are looked up at call time, so that fake timers work. */
export const systemTime: Pick<Clock, "now"> = { now };

/** The same object, with its timers: a guard that shares a reading with an attempt knows the clock by it. */
export const systemClock: Clock = /* @__PURE__ */ Object.assign(systemTime, { setTimer });

/** The same for sync policies. */
export const systemSyncClock: SyncClock = { now, sleepSync };

/** `fn` in the async context of now: a user's clock may fire in anybody's. The system's keeps it, and weighs less. */
export function inThisContext(fn: () => void): () => void {
  let fire: () => void;
  new Promise<void>((resolve) => {
    fire = resolve;
  }).then(fn);
  return fire!;
}

/**
 * Calls `timeUp` after `ms`, as a timeout needs it: by the system's clock, one that comes late was kept waiting by this
 * process, and lets input and output have one turn first, since the answer may be there. Returns what cancels it.
 */
export function setDeadline(clock: Clock, timeUp: () => void, ms: number, unref: boolean | undefined): () => void {
  if (clock !== systemClock) return clock.setTimer(timeUp, ms, unref);
  const due = now() + ms;
  let over = false;
  const end = () => {
    if (!over) timeUp();
  };
  const cancel = setTimer(
    () => {
      if (now() - due > 1 && hasSystemTime()) whenIoHadItsTurn(end, !!unref);
      else end();
    },
    ms,
    unref,
  );
  return () => {
    over = true;
    cancel();
  };
}
