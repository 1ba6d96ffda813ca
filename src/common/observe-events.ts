import type { GiveUpReason } from "./attempt.js";

/** What all events have. */
interface AnyEvent {
  /** The policy's or guard's own name; never a key, a URL or an argument. */
  readonly name: string;
  /** When: ms by the clock of the policy or guard; the system's is `performance.now()`, from `performance.timeOrigin` on. */
  readonly at: number;
}

/** What happens to a call. */
interface CallEvent extends AnyEvent {
  /** The call's number: no other call of this process has it, and later ones have higher ones. */
  readonly call: number;
  /** The attempt's number, from 1; 0 where a call ended before its first. */
  readonly attempt: number;
}

/** What was thrown, as far as it says nothing of a user: never its message. */
interface Failure {
  /** The error's `name`, or the type of what is no error; `undefined` where a value was returned. */
  readonly errorType: string | undefined;
  /** Its `code`, where that is a number or a short word. */
  readonly code: string | number | undefined;
}

/** What happens at a guard: the call and the attempt in which it happened, where that is known and was observed. */
interface GuardEvent extends AnyEvent {
  readonly call: number | undefined;
  readonly attempt: number | undefined;
}

/** An attempt begins. */
export interface AttemptEvent extends CallEvent {
  readonly type: "attempt";
  /** It is an HTTP request, of `retryFetch` or `retryAxios`. */
  readonly http: boolean;
}

/** Another attempt is going to follow one that failed, or whose value was not wanted. */
export interface RetryEvent extends CallEvent, Failure {
  readonly type: "retry";
  /** ms that the attempt took. */
  readonly attemptElapsed: number;
  /** ms until the next attempt. */
  readonly delay: number;
  /** Where the delay came from: the policy's `wait`, the cap that bounds it, or a hint of what failed. */
  readonly source: "policy" | "cap" | "hint";
}

/** A call returned its value. */
export interface SuccessEvent extends CallEvent {
  readonly type: "success";
  readonly attemptElapsed: number;
  /** ms since the call began. */
  readonly elapsed: number;
}

/** A call gave up, whatever its `fallback` does then. */
export interface GiveUpEvent extends CallEvent, Failure {
  readonly type: "give-up";
  /** `"broken"`: a strategy or a clock failed. */
  readonly reason: GiveUpReason | "broken";
  readonly attemptElapsed: number;
  readonly elapsed: number;
}

/** What an attempt that had timed out or was aborted settled with after all. */
export interface LateResultEvent extends CallEvent, Failure {
  readonly type: "late-result";
}

/** A budget refused to pay for a retry; a give-up follows. */
export interface BudgetRefusedEvent extends GuardEvent {
  readonly type: "budget-refused";
}

/** A circuit breaker changed its state. */
export interface CircuitChangeEvent extends GuardEvent {
  readonly type: "circuit-change";
  readonly from: "closed" | "open" | "half-open" | "isolated";
  readonly to: "closed" | "open" | "half-open" | "isolated";
}

/** A circuit breaker let a call not through. */
export interface CircuitRefusedEvent extends GuardEvent {
  readonly type: "circuit-refused";
  readonly state: "open" | "half-open" | "isolated" | "closed";
}

/** A bulkhead refused a call: its queue was full, or it had no slot within `maxWait`. */
export interface BulkheadFullEvent extends GuardEvent {
  readonly type: "bulkhead-full";
  readonly reason: "queue-full" | "max-wait";
}

/** A call that had waited in a bulkhead's queue begins. */
export interface QueuedEvent extends GuardEvent {
  readonly type: "queued";
  /** ms that it waited. */
  readonly waited: number;
}

/** A server's hint sets the delay: a retry follows. */
export interface HintEvent extends CallEvent {
  readonly type: "hint";
  /** ms that it asked for. */
  readonly asked: number;
}

/** An idempotent function gave what is on record for a key. */
export interface ReplayEvent extends GuardEvent {
  readonly type: "replay";
}

/** A fleet's store went or came, or the fleet opened or closed a breaker of this process. */
export interface FleetEvent extends GuardEvent {
  readonly type: "fleet-connected" | "fleet-lost" | "fleet-opened" | "fleet-closed";
}

/** What `observe` delivers. There will be more types: ignore those that you do not know. */
export type ObservedEvent =
  | AttemptEvent
  | RetryEvent
  | SuccessEvent
  | GiveUpEvent
  | LateResultEvent
  | HintEvent
  | BudgetRefusedEvent
  | CircuitChangeEvent
  | CircuitRefusedEvent
  | BulkheadFullEvent
  | QueuedEvent
  | ReplayEvent
  | FleetEvent;

/** What a guard says of an event: the rest is added where it is emitted. */
export type GuardFacts = FactsOf<Exclude<ObservedEvent, CallEvent>>;

// A conditional type goes through the union one by one.
type FactsOf<E> = E extends GuardEvent ? Omit<E, keyof GuardEvent> & { readonly name: string } : never;
