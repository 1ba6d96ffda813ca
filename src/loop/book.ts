import type { RetryState } from "../common/attempt.js";
import { heedResult, report } from "../common/call-hook.js";
import type { CompiledPolicy } from "./policy.js";

/**
 * Books in the policy's budget. A budget that fails at that cannot change the outcome: it is reported like a hook. Most
 * calls succeed at once, so this takes its arguments one by one and allocates nothing.
 */
export function recordSuccess(
  policy: CompiledPolicy,
  taken: number,
  after: RetryState | undefined,
  args: readonly unknown[],
): void {
  const budget = policy.budget!;
  try {
    heedResult(policy, budget, budget.recordSuccess(taken, after, args));
  } catch (error) {
    report(policy, budget, error);
  }
}

/** The same for what happens less often. */
export function bookInBudget(policy: CompiledPolicy, entry: "recordFailure", failed: RetryState): void;
export function bookInBudget(
  policy: CompiledPolicy,
  entry: "refund",
  taken: number,
  state: RetryState | undefined,
): void;
export function bookInBudget(policy: CompiledPolicy, entry: string, ...facts: unknown[]): void {
  const budget = policy.budget as unknown as Record<string, (...facts: unknown[]) => unknown>;
  try {
    heedResult(policy, budget, budget[entry]!(...facts));
  } catch (error) {
    report(policy, budget, error);
  }
}
