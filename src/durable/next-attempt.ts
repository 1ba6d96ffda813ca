import type { Outcome } from "../common/attempt.js";
import { NO_ARGS } from "../common/callable.js";
import { check, FINITE, type Rule, readOptions, WHOLE } from "../common/validate.js";
import { decideNext, giveUpOnMemo, type NextAttempt } from "./decision.js";
import { type RetryMemo, readMemo } from "./memo.js";
import { compileDurable, type DurableOptions, durableKind } from "./options.js";
import { watchedAttempt } from "./watched.js";

/** An attempt that has ended, as `nextAttempt` takes it. */
export interface EndedAttempt<T = any> {
  /** How it ended. */
  readonly outcome: Outcome<T>;
  /** The memo of the decision before; none after a first attempt. */
  readonly memo?: RetryMemo | null | undefined;
  /**
   * Attempts made so far, a whole number from 1: where an engine counts them.
   * @default the memo's, and one
   */
  readonly attempt?: number | undefined;
  /**
   * Epoch ms: when the call began, where an engine knows.
   * @default the memo's, or now
   */
  readonly startedAt?: number | undefined;
  /**
   * Epoch ms: when the attempt ended.
   * @default the system's time
   */
  readonly now?: number | undefined;
  /** The call's arguments, for strategies and budgets that look at them. */
  readonly args?: readonly unknown[] | undefined;
}

const OUTCOME: Rule = [
  "{ ok: true, value } or { ok: false, error }",
  "object",
  ({ ok, ...rest }) => (ok === true ? "value" in rest : ok === false && "error" in rest),
];
const INPUT: Record<string, Rule> = {
  outcome: OUTCOME,
  memo: ["a memo", "any"],
  startedAt: FINITE,
  now: FINITE,
  args: ["an array", "object", Array.isArray],
};

const KIND = /* @__PURE__ */ durableKind("nextAttempt");

/**
 * Decides, as one step, what follows an attempt: the decision of `retry`'s own loop, for a loop whose memory is a queue, a journal or a table.
 * What it returns is plain JSON. Keep the `memo` and hand it to the next decision, in whatever process that is; times are epoch ms, and a
 * negative time counts as 0. Hooks are called once per decision, and a `fallback`'s value is accepted.
 *
 * The promise never rejects: a strategy that fails gives up (`reason: "strategy"`), and so does a memo of a version that this release does
 * not know (`"memo"`). Bad options are thrown at once, as a `TypeError` or `RangeError`.
 *
 * @example
 * const outcome = { ok: false, error: new Error("busy") } as const;
 * const next = await nextAttempt({ wait: waitFixed(250) }, { outcome, attempt: 1, startedAt: 0, now: 1_000 });
 * next.do === "retry" && [next.delay, next.at]; // => [250, 1250]
 */
export function nextAttempt<T = any>(
  options: DurableOptions<T> | undefined,
  ended: EndedAttempt<T>,
): Promise<NextAttempt<T>> {
  const policy = compileDurable(KIND, options);
  check("nextAttempt", "the ended attempt", ended, ["an object", "object"]);
  // Read on its own: an object that has both an attempt and an outcome is taken for a state, which is no options.
  const { attempt: made, ...rest } = ended;
  const given = readOptions("nextAttempt", rest as EndedAttempt<T>, INPUT, ["outcome"]);
  if (made !== undefined) check("nextAttempt", "attempt", made, WHOLE);
  const { outcome, args = NO_ARGS } = given;
  let memo: RetryMemo | undefined;
  try {
    memo = readMemo(given.memo);
  } catch (error) {
    return Promise.resolve(giveUpOnMemo(given.memo, error).next);
  }
  const fixed = given.now;
  const now = fixed === undefined ? Date.now : () => fixed;
  const { startedAt = memo?.startedAt ?? now() } = given;
  const attempt = made ?? (memo?.attempt ?? 0) + 1;
  const name = policy.name ?? "anonymous";
  const begunAt = memo?.at ?? startedAt;
  const watched = watchedAttempt(policy, name, { attempts: attempt, elapsed: Math.max(0, now() - startedAt) });
  const facts = { name, args, outcome, attempt, startedAt, begunAt, now, ordinal: 0, memo, watched };
  return decideNext(policy, facts).then(({ next }) => next);
}
