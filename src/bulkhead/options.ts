import type { HookOwner } from "../common/call-hook.js";
import type { BulkheadFullError } from "../common/errors.js";
import { FUNCTION, type Rule, STRING, WHOLE } from "../common/validate.js";

/** The options of `bulkhead`. */
export interface BulkheadOptions {
  /** The most calls in flight, a whole number from 1. */
  limit: number;
  /**
   * The most calls that wait for a slot, a whole number from 0, or Infinity. They wait as long as it takes: let the
   * `attemptTimeout` of the policy around them bound it.
   * @default 0
   */
  queue?: number | undefined;
  /**
   * What its errors and its hook call it.
   * @default "bulkhead"
   */
  name?: string | undefined;
  /** Told of each call that is refused. It changes nothing. */
  onRefused?: ((refusal: { readonly name: string; readonly error: BulkheadFullError }) => unknown) | undefined;
  /**
   * Told what `onRefused` threw or rejected with.
   * @default a process warning (`console.warn` elsewhere), once per hook
   */
  onHookError?: ((error: unknown) => void) | undefined;
}

/** A bulkhead's options, checked and filled. */
export interface BulkheadSettings extends HookOwner {
  readonly limit: number;
  readonly queue: number;
  readonly name: string;
  readonly onRefused: BulkheadOptions["onRefused"];
  /** Told when the first slot is taken and when the last is free again; must not throw. */
  readonly changed?: ((busy: boolean) => void) | undefined;
}

const QUEUE: Rule = [
  "a whole number from 0, or Infinity",
  "number",
  (n) => n >= 0 && (Number.isInteger(n) || n === Infinity),
];
/** The table that the options of a bulkhead are read by. */
export const RULES = { limit: WHOLE, queue: QUEUE, name: STRING, onRefused: FUNCTION, onHookError: FUNCTION };

/** Fills in what was not given. */
export function settingsOf(given: BulkheadOptions): BulkheadSettings {
  return { queue: 0, name: "bulkhead", ...given, kind: { sync: false } } as BulkheadSettings;
}
