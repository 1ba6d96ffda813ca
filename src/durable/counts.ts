import type { RetryState } from "../common/attempt.js";
import { countFailure, type ErrorCounts } from "./memo.js";

interface Counted {
  readonly counts: ErrorCounts;
  /** The last attempt that is in them. */
  readonly attempt: number;
}

const countsOfCalls = /* @__PURE__ */ new WeakMap<object, Counted>();

/** Says what a call's counts were when another process had it. */
export function seedCounts(call: object, counts: ErrorCounts, attempt: number): void {
  countsOfCalls.set(call, { counts, attempt });
}

/** How often a call has failed with what, up to the attempt that `state` is of. */
export function countsOf({ call, attempt, outcome }: RetryState): ErrorCounts {
  const { counts, attempt: counted } = countsOfCalls.get(call) ?? { counts: {}, attempt: 0 };
  if (counted >= attempt || outcome.ok) return counts;
  const more = countFailure(counts, outcome.error, attempt);
  countsOfCalls.set(call, { counts: more, attempt });
  return more;
}
