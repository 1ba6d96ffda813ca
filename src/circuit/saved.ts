import { check, type Rule, TIME, WHOLE } from "../common/validate.js";
import type { Snapshot } from "./machine.js";
import type { SavedCalls } from "./window.js";

/** A breaker's state as JSON, to be taken up by another process: remaining times instead of dates. */
export type SavedCircuit = Snapshot & {
  /** The calls that rates are taken over. */
  readonly window?: readonly SavedCalls[];
};

const NATURAL: Rule = ["a whole number from 0", "number", (n) => n >= 0 && Number.isInteger(n)];
const SAVED: Record<string, Record<string, Rule>> = {
  closed: { failures: NATURAL, openings: NATURAL, forgetIn: TIME, comeBackIn: TIME },
  open: { openings: WHOLE, openFor: TIME, remaining: TIME },
  isolated: {},
};

/** A saved state comes from outside: fields that are not known may be of a later version, the others must be right. */
export function checkSaved(owner: string, saved: SavedCircuit): void {
  const states = Object.keys(SAVED);
  check(owner, "initialState.state", saved.state, [
    `one of ${states.join(", ")}`,
    "string",
    (name) => states.includes(name),
  ]);
  for (const [field, rule] of Object.entries(SAVED[saved.state]!)) {
    check(owner, `initialState.${field}`, (saved as unknown as Record<string, unknown>)[field], rule);
  }
  const calls = ["a list of [age, calls, failures, slow]", "object", isSavedCalls] as const;
  if (saved.window !== undefined) check(owner, "initialState.window", saved.window, calls);
}

function isSavedCalls(window: unknown): boolean {
  const isCount = (count: unknown) => isTime(count) && Number.isInteger(count);
  const isEntry = (entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 4) return false;
    const [age, calls, failures, slow] = entry;
    return isTime(age) && [calls, failures, slow].every(isCount) && failures <= calls && slow <= calls;
  };
  return Array.isArray(window) && window.every(isEntry);
}

/** Whether `value` is a number of ms that can be waited. */
export function isTime(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < Infinity;
}
