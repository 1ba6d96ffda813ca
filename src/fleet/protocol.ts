/** The layout of what a store keeps. A store that holds another one refuses the exchange. */
export const LAYOUT = 1;
/** ms after which a report is too old to count. */
const LATE = 1_000;

/** Whether an exchange has been under way for too long to count: it may be one that came before. */
export function isLate({ tick, age }: { readonly tick: number; readonly age: number }, now: number): boolean {
  const since = now - tick - age;
  return tick !== 0 && (since > LATE || since < -LATE);
}

/** What every exchange about one guard carries. Durations and counts, never an instant of the process's own. */
interface Exchange {
  /** Which guard, the same in every process. */
  readonly key: string;
  /** Who asks: a whole number from 0 to 2^32 - 1, drawn once for each process and guard. */
  readonly reporter: number;
  /** Drawn for each exchange, from 1 to 2^32 - 1: one that comes twice counts once. */
  readonly nonce: number;
  /** The store's time as the last reply gave it, 0 before the first, and the ms that have passed since. */
  readonly tick: number;
  readonly age: number;
  /** Exchanges a second that this guard may cost at most. */
  readonly most: number;
}

/** When a shared breaker opens, and for how long. A rate above 1 is off. */
export interface FleetRule {
  readonly failureRate: number;
  readonly slowRate: number;
  /** ms that the next opening may last. */
  readonly openFor: number;
  readonly maxOpenFor: number;
  /** Probes that must succeed. */
  readonly probes: number;
}

export interface BreakerRequest extends Exchange, FleetRule {
  readonly kind: "breaker";
  /** What the counts belong to. */
  readonly epoch: number;
  readonly generation: number;
  /** Where the process knows the fleet to be, see `STATE`: a store that lost its memory takes that up. */
  readonly was: number;
  /** Calls a second, as the process knows it from the last reply: what a store that lost its memory goes by. */
  readonly rate: number;
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** ms: the longest that a failure asked for. */
  readonly retryAfter: number;
  /** 1: the process's own breaker opened. */
  readonly vote: number;
  /** 1: asks to be the probe. */
  readonly claim: number;
  /** The nonce that the probe was granted to, 0 where there is none, and how it ended: see `PROBE`. */
  readonly probe: number;
  readonly ended: number;
  /** What was done by hand: see `COMMAND`. */
  readonly command: number;
  /** 1: the process's first exchange; its rule is the newest. */
  readonly hello: number;
}

export const PROBE = { returned: 0, succeeded: 1, failed: 2 } as const;
export const COMMAND = { none: 0, isolate: 1, close: 2 } as const;
export const STATE = { closed: 0, open: 1, isolated: 2 } as const;

/** Where the fleet stands. */
export interface Verdict {
  readonly epoch: number;
  readonly generation: number;
  /** See `STATE`; an open one with nothing remaining is half-open. */
  readonly state: number;
  /** ms that the opening still lasts. */
  readonly remaining: number;
  /** Openings in a row. */
  readonly openings: number;
  /** Calls a second while it was last closed. */
  readonly rate: number;
}

/** What every reply says. */
interface Answer {
  readonly tick: number;
  /** How much longer than usual a process is to wait between two reports, from 1. */
  readonly stretch: number;
  /** Processes heard of in the last 30 s, about. */
  readonly known: number;
}

export interface BreakerReply extends Verdict, Answer {
  readonly kind: "breaker";
  /** 1: the process is the probe. */
  readonly granted: number;
  /** 1: the fleet goes by another rule than the request's. */
  readonly differs: number;
}

export interface BudgetRequest extends Exchange {
  readonly kind: "budget";
  readonly successes: number;
  readonly refunds: number;
  /** Tokens asked for. */
  readonly wanted: number;
  readonly capacity: number;
  readonly initial: number;
  readonly perSuccess: number;
  readonly fade: number;
  readonly every: number;
  readonly floor: number;
  readonly capacitySeconds: number;
}

export interface LimitRequest extends Exchange {
  readonly kind: "limit";
  readonly refunds: number;
  readonly wanted: number;
  readonly perSecond: number;
  readonly burst: number;
}

export interface TokensReply extends Answer {
  readonly kind: "budget" | "limit";
  readonly granted: number;
  readonly balance: number;
}

/** ms of the longest pause that a fleet shares. */
export const LONGEST_PAUSE = 86_400_000;

/** By how much a pause must be longer than one that is known: a `Retry-After` is exact to a second. */
export function marginOf(ms: number): number {
  return Math.min(1_000, Math.floor(ms / 20));
}

/** One exchange is about all pauses of a fleet. */
export interface PauseRequest extends Exchange {
  readonly kind: "pause";
  /** The store as the last reply named it, 0 before the first: one that begins anew goes on by that name. */
  readonly epoch: number;
  /** What servers asked for since the last one. */
  readonly asked: readonly AskedPause[];
}

export interface AskedPause {
  /** What is paused: 64 hexadecimal digits. */
  readonly key: string;
  /** ms from now. */
  readonly ms: number;
}

/** A pause that everybody goes by. */
export interface KnownPause {
  readonly key: string;
  /** ms that it still lasts, and that it lasts in all. */
  readonly remaining: number;
  readonly length: number;
}

export interface PauseReply extends Answer {
  readonly kind: "pause";
  /** Which store it is. */
  readonly epoch: number;
  /** Those that began, or became longer, since the request's tick, the newest first. All that there are where that is 0. */
  readonly pauses: readonly KnownPause[];
}

export type FleetRequest = BreakerRequest | BudgetRequest | LimitRequest | PauseRequest;
export type FleetReply = BreakerReply | TokensReply | PauseReply;

/** What a store tells everybody. Another store may be heard on the same way: it has other epochs. */
export type FleetNews =
  | ({ readonly kind: "breaker"; readonly key: string } & Verdict)
  | { readonly kind: "pause"; readonly epoch: number; readonly pauses: readonly KnownPause[] };

/** The way to a store. */
export interface FleetTransport {
  /** Rejects where the store did not do it. May stay pending. */
  exchange(request: FleetRequest): Promise<FleetReply>;
  /** Calls `listener` with what the store tells everybody; returns what ends that. */
  onNews?(listener: (news: FleetNews) => void): () => void;
}
