/** ms that a pause still lasts, and that it lasts in all: what the spread of the calls held back is taken from. */
export interface PauseLeft {
  readonly left: number;
  readonly length: number;
}

/** A time in which a server wants no calls. */
export interface Pause {
  /** What is left of it, if anything; a promise where others must be asked first. */
  left(): PauseLeft | undefined | Promise<PauseLeft | undefined>;
  /** No call for `ms` from now; a longer pause stands. */
  pause(ms: number): void;
}

/** Pauses that several clients, or many processes, have in common: what `fleet.pauses` returns. */
export interface SharedPauses<Q = any> {
  /** The pause that concerns a request. Called once for each call; what it throws is the call's error. */
  pauseOf(request: Q): Pause;
}
