import type { Outcome } from "../common/attempt.js";

/**
 * Plays an entry of a script: an `Error` is thrown, an outcome is played, a function is called with the arguments and what
 * it returns is returned, and anything else is returned.
 */
export function play(entry: unknown, args: readonly unknown[]): unknown {
  if (entry instanceof Error) throw entry;
  if (typeof entry === "function") return entry(...args);
  if (!isOutcome(entry)) return entry;
  if (!entry.ok) throw entry.error;
  return entry.value;
}

function isOutcome(entry: unknown): entry is Outcome {
  if (typeof entry !== "object" || entry === null || !("ok" in entry)) return false;
  return entry.ok === true ? "value" in entry : entry.ok === false && "error" in entry;
}
