import { readField } from "../common/inspect.js";
import { originalOf, originalsOf } from "./originals.js";

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

/** What an error says of a pool that gave no connection, whatever its cause; `undefined` for any other. */
export type PoolVerdict = (error: unknown) => Retryability | undefined;

const RANKS: readonly (Retryability | undefined)[] = [undefined, "safe", "idempotent", "unknown", "permanent"];

/**
 * What an error, its causes to depth 10 and the errors that it gathers say together: the least safe of it, and `"unknown"` where they say
 * nothing. Where it keeps the driver's own error, that one alone decides.
 */
export function lookThrough(error: unknown, verdictOf: Verdict, ofPool?: PoolVerdict): Retryability {
  return judge(error, { verdictOf, ofPool, judged: new Map() }, 10) ?? "unknown";
}

interface Court {
  readonly verdictOf: Verdict;
  readonly ofPool: PoolVerdict | undefined;
  /** What is done, and what is being judged as `undefined`. */
  readonly judged: Map<unknown, Retryability | undefined>;
}

function judge(error: unknown, court: Court, depth: number): Retryability | undefined {
  if (error === undefined || depth < 0) return undefined;
  const { judged } = court;
  if (judged.has(error)) return judged.get(error);
  judged.set(error, undefined);
  const verdict =
    verdictOfPool(error, court, depth - 1) ??
    judge(originalOf(error), court, depth - 1) ??
    verdictOfAll(error, court, depth - 1);
  judged.set(error, verdict);
  return verdict;
}

/** What a pool met before it gave up was not this call, unless nobody will ever get a connection. */
function verdictOfPool(error: unknown, court: Court, depth: number): Retryability | undefined {
  const verdict = court.ofPool?.(error);
  const isHopeless = verdict && judge(readField(error, "cause"), court, depth) === "permanent";
  return isHopeless ? "permanent" : verdict;
}

function verdictOfAll(error: unknown, court: Court, depth: number): Retryability | undefined {
  const cause = readField(error, "cause");
  const ofCause = judge(cause, court, depth);
  const originals = originalsOf(error);
  if (!originals) return worse(ofCause, court.verdictOf(error, cause, ofCause));
  // Its own code is that of its first error. One of a kind that is not known is enough for not knowing.
  return originals
    .map((each) => judge(each, court, depth) ?? "unknown")
    .reduce<Retryability | undefined>(worse, ofCause);
}

function worse(a: Retryability | undefined, b: Retryability | undefined): Retryability | undefined {
  return RANKS.indexOf(a) > RANKS.indexOf(b) ? a : b;
}

/** A table's own row of this name. */
export function lookUp<T>(table: Readonly<Record<string, T>>, name: unknown): T | undefined {
  return typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}
