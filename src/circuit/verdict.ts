import type { Outcome } from "../common/attempt.js";
import { kindOf, MISUSE } from "../common/brand.js";
import { report } from "../common/call-hook.js";
import { StrategyError } from "../common/errors.js";
import { isAbortError } from "../common/is-abort.js";
import { requireSync } from "../common/thenable.js";
import { show } from "../common/validate.js";
import type { CircuitSettings, CircuitVerdict } from "./options.js";

const VERDICTS: readonly unknown[] = ["success", "failure", "ignored"];

/** What an outcome says about the callee, by `classify` or by default. Throws a `StrategyError` where `classify` fails. */
export function verdictOf({ classify }: CircuitSettings, outcome: Outcome): CircuitVerdict {
  if (!classify) return byDefault(outcome);
  try {
    const verdict = requireSync("classify", classify(outcome));
    if (verdict === undefined) return byDefault(outcome);
    if (VERDICTS.includes(verdict)) return verdict;
    throw new TypeError(`classify must return "success", "failure", "ignored" or undefined, got ${show(verdict)}`);
  } catch (cause) {
    throw new StrategyError("classify", outcome, cause);
  }
}

/** ms for which a failure asks not to be called again; -Infinity where it does not. */
export function hintOf(settings: CircuitSettings, error: unknown): number {
  const { retryAfter } = settings;
  let ms: unknown;
  try {
    ms = requireSync("retryAfter", retryAfter(error));
  } catch (cause) {
    report(settings, retryAfter, cause);
  }
  return typeof ms === "number" && ms > 0 ? ms : -Infinity;
}

// They say nothing about the callee: a guard inside refused, the call itself was wrong, it is not done yet.
const NOBODYS_FAULT: readonly unknown[] = [
  "ERR_CIRCUIT_OPEN",
  "ERR_BULKHEAD_FULL",
  "ERR_NON_RETRYABLE",
  "ERR_TRY_AGAIN",
  MISUSE,
];

function byDefault(outcome: Outcome): CircuitVerdict {
  if (outcome.ok) return "success";
  const { error } = outcome;
  return isAbortError(error) || NOBODYS_FAULT.includes(kindOf(error)) ? "ignored" : "failure";
}
