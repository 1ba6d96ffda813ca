import type { RetryBudget } from "../common/attempt.js";
import { named } from "../common/named.js";

/** Lists a budget under its name, if it has one. */
export function namedBudget<B extends RetryBudget>(budget: B): B {
  return named(budget, budget.name, () => ({ balance: budget.balance }));
}
