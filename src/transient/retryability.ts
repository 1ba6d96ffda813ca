import { errorsOf, readField } from "../common/inspect.js";
import { wasRetriedBefore } from "./own-retries.js";

/** Whether making a call again can do harm, as far as the error that it failed with says. */
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

/** What is known of errors that hold the driver's own. */
export interface Wrappers {
  /** What an error says so surely that neither its words nor its cause are asked; `judge` judges what is in it. */
  decide?(error: unknown, judge: (other: unknown) => Retryability | undefined): Retryability | undefined;
  /** The errors that this one gathers. */
  originalsOf(error: unknown): readonly unknown[] | undefined;
}

const RANKS: readonly (Retryability | undefined)[] = [undefined, "safe", "idempotent", "unknown", "permanent"];

/**
 * What an error, its causes to depth 10 and an `AggregateError`'s errors say together: the least safe of it, and `"unknown"` where they say
 * nothing.
 */
export function lookThrough(
  error: unknown,
  verdictOf: Verdict,
  { decide, originalsOf }: Wrappers = { originalsOf: errorsOf },
): Retryability {
  /** What is done, and what is being judged as `undefined`. */
  const judged = new Map<unknown, Retryability | undefined>();
  const judge = (error: unknown, depth: number): Retryability | undefined => {
    if (error === undefined || depth < 0) return undefined;
    if (judged.has(error)) return judged.get(error);
    judged.set(error, undefined);
    const inside = (other: unknown) => judge(other, depth - 1);
    let verdict: Retryability | undefined;
    try {
      verdict = decide?.(error, inside) ?? weigh(error, inside);
    } catch {
      // It has a list that cannot be read. What is thrown can be anything.
    }
    if (verdict === "safe" && wasRetriedBefore(error)) verdict = "idempotent";
    judged.set(error, verdict);
    return verdict;
  };
  const weigh = (error: unknown, inside: (other: unknown) => Retryability | undefined) => {
    const cause = readField(error, "cause");
    let verdict = inside(cause);
    const originals = originalsOf(error);
    // Its own code is that of its first error. One of a kind that is not known is enough for not knowing.
    if (originals) for (const each of originals) verdict = worse(verdict, inside(each) ?? "unknown");
    else verdict = worse(verdict, verdictOf(error, cause, verdict));
    return verdict;
  };
  return judge(error, 10) ?? "unknown";
}

function worse(a: Retryability | undefined, b: Retryability | undefined): Retryability | undefined {
  return RANKS.indexOf(a) > RANKS.indexOf(b) ? a : b;
}

/** A table's own row of this name. */
export function lookUp<T>(table: Readonly<Record<string, T>>, name: unknown): T | undefined {
  return typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}
