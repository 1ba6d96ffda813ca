import type { Result, Rules } from "./machine.js";
import type { CircuitState } from "./options.js";

/** What makes a breaker one of a fleet's. */
export interface CircuitLink {
  /** The rules as of now: how long it is open depends on whether the others are heard. */
  readonly rules: Rules;
  /** What a call that begins now belongs to. */
  readonly tag: unknown;
  /** The fleet has opened it: no call goes without a permit of the fleet's. */
  readonly holds: boolean;
  /** Makes a call, as soon as it may be made: `call` gets the permit of the fleet's that it was given, if it was. */
  admit(state: CircuitState, call: (grant?: unknown) => Promise<unknown>): Promise<unknown>;
  /** A call of `tag` ended, without a result where that says nothing. Returns whether it had a permit of the fleet's. */
  ended(tag: unknown, result?: Result, now?: number): boolean;
  /** Its user isolated or closed it. */
  commanded(command: "isolate" | "close", options: { local?: boolean | undefined } | undefined): void;
}
