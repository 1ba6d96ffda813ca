import { errorsOf, readField } from "../common/inspect.js";

/** Whether making a call again can do harm, as far as the error that it failed with tells. */
export type Retryability =
  /** It was never executed, or was undone: always worth another attempt. */
  | "safe"
  /** It may have been executed: only what is idempotent may be repeated. */
  | "idempotent"
  /** It would fail again. */
  | "permanent"
  /** The error is none of those that are known. */
  | "unknown";

/** What one error says, given what its cause says; `undefined` for nothing. */
export type Verdict = (error: unknown, cause: unknown, ofCause: Retryability | undefined) => Retryability | undefined;

const RANKS: readonly (Retryability | undefined)[] = [undefined, "safe", "idempotent", "unknown", "permanent"];

/**
 * What an error, its causes to depth 10 and an `AggregateError`'s errors say together: the least safe of it, and `"unknown"` where
 * they say nothing.
 */
export function lookThrough(error: unknown, verdictOf: Verdict): Retryability {
  return judge(error, verdictOf, 10, new Map()) ?? "unknown";
}

/** `judged` holds what is done, and what is being judged as `undefined`. */
function judge(
  error: unknown,
  verdictOf: Verdict,
  depth: number,
  judged: Map<unknown, Retryability | undefined>,
): Retryability | undefined {
  if (error === undefined || depth < 0) return undefined;
  if (judged.has(error)) return judged.get(error);
  judged.set(error, undefined);
  const cause = readField(error, "cause");
  let verdict = judge(cause, verdictOf, depth - 1, judged);
  const errors = errorsOf(error);
  // Its own code is that of its first error. One of a kind that is not known is enough for not knowing.
  if (errors)
    for (const each of errors) verdict = worse(verdict, judge(each, verdictOf, depth - 1, judged) ?? "unknown");
  else verdict = worse(verdict, verdictOf(error, cause, verdict));
  judged.set(error, verdict);
  return verdict;
}

function worse(a: Retryability | undefined, b: Retryability | undefined): Retryability | undefined {
  return RANKS.indexOf(a) > RANKS.indexOf(b) ? a : b;
}
