import type { RetryState } from "../common/attempt.js";
import { requireSync } from "../common/thenable.js";
import type { Tokens } from "./shared-budget.js";

/** What a `retryBudget` lets a fleet into. */
export interface BudgetInside {
  readonly capacity: number;
  readonly initial: number;
  readonly perSuccess: number;
  readonly fade: number;
  readonly every: number;
  readonly floor: number;
  readonly isOverload: (state: RetryState) => boolean;
  /** Leaves so many tokens at most. */
  drain(to: number): void;
}

/** What a `retryRateLimit` lets a fleet into. */
export interface LimitInside {
  readonly perSecond: number;
  readonly burst: number;
  /** Leaves so many tokens at most, and fills at so much of its rate from now on. */
  restrict(tokens: number, share: number): void;
}

// An Infinity is no number to a script.
const finite = (ms: number) => Math.min(ms, Number.MAX_SAFE_INTEGER);

/** A retry budget that a fleet shares. */
export function budgetTokens(inside: BudgetInside, capacitySeconds: number): Tokens {
  const { capacity, initial, perSuccess, floor, isOverload } = inside;
  const formula = { capacity, initial, perSuccess, floor, fade: finite(inside.fade), every: finite(inside.every) };
  return {
    paid: true,
    request: (wanted, refunds, successes) => ({
      kind: "budget",
      ...formula,
      capacitySeconds,
      wanted,
      refunds,
      successes,
    }),
    dry: () => inside.drain(0),
    refundOf: (taken, after) => (taken > 0 && !(after && requireSync("isOverload", isOverload(after))) ? taken : 0),
    leases: () => false,
    // It may not have heard that there is none left.
    turned: (lost, known, alone) => lost && known > 0 && inside.drain(alone ? 0 : 1),
  };
}

/** A rate limit that a fleet shares. */
export function limitTokens({ perSecond, burst, restrict }: LimitInside): Tokens {
  return {
    paid: false,
    request: (wanted, refunds) => ({ kind: "limit", perSecond, burst, wanted, refunds }),
    dry: () => restrict(0, 1),
    refundOf: () => 0,
    // Where they are scarce, none is taken on suspicion.
    leases: (balance) => balance >= burst / 2,
    turned: (lost, known) => restrict(lost ? burst / Math.max(1, known) : burst, lost ? 1 / Math.max(1, known) : 1),
  };
}
