import { kindOf } from "../common/brand.js";
import { report } from "../common/call-hook.js";
import { chainOf, codeOf, readField } from "../common/inspect.js";
import { requireSync } from "../common/thenable.js";
import { check, type Rule } from "../common/validate.js";
import { classifyError } from "../transient/classify.js";
import type { FailureMeaning, IdempotencySettings } from "./options.js";

const MEANING: Rule = [
  '"free", "hold" or "record"',
  "string",
  (meaning) => meaning === "free" || meaning === "hold" || meaning === "record",
];

/** What a failure means for its key. Never throws: what cannot be found out may have happened. */
export function meaningOf(settings: IdempotencySettings, error: unknown): FailureMeaning {
  // "Try again" says that nothing has happened, or that it may happen again.
  if (kindOf(error) === "ERR_TRY_AGAIN") return "free";
  const { owner, onFailure } = settings;
  if (!onFailure) return mayHaveHappened(error) ? "hold" : "free";
  try {
    const meaning = requireSync(`${owner}: onFailure`, onFailure(error));
    check(owner, "what onFailure returns", meaning, MEANING);
    return meaning as FailureMeaning;
  } catch (thrown) {
    report(settings, onFailure, thrown);
    return "hold";
  }
}

// Of these nobody knows what was done before: an abort, a timeout of the caller's or of ours, a call inside that says so itself.
const UNDECIDED: readonly unknown[] = [
  "AbortError",
  "CanceledError",
  "TimeoutError",
  "ABORT_ERR",
  "ERR_CANCELED",
  "UND_ERR_ABORTED",
  "ERR_ATTEMPT_TIMEOUT",
  "ERR_TOTAL_TIMEOUT",
  "ERR_IDEMPOTENCY_RECORD",
  "ERR_IDEMPOTENCY_TIMEOUT",
  "ERR_IDEMPOTENCY_UNDECIDED",
];

/** Whether, after this error, the call's effect may have happened. */
function mayHaveHappened(error: unknown): boolean {
  if (classifyError(error) === "idempotent") return true;
  return chainOf(error).some((each) => UNDECIDED.includes(codeOf(each)) || UNDECIDED.includes(readField(each, "name")));
}
