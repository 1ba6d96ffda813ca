import { retryBudget } from "../budget/retry-budget.js";
import type { RetryBudget } from "../common/attempt.js";
import type { Clock } from "../common/clock.js";
import { LruMap } from "../common/lru-map.js";
import { type Target, targetOf } from "../loop/target.js";
import type { Exchange } from "./exchange.js";
import { PausedOrigins } from "./paused-origins.js";

const MOST_ORIGINS = 1_000;

/** What a client, and those made from it by `with`, keep from call to call. */
export class HttpClient {
  readonly pauses = new PausedOrigins(MOST_ORIGINS);
  readonly target: Target;
  // Policies may tell the time differently; nearly always there is one clock.
  readonly #budgets = new WeakMap<Clock, LruMap<RetryBudget>>();

  constructor(
    /** Whom errors name. */
    readonly owner: string,
  ) {
    this.target = targetOf(owner, attemptOf);
  }

  budgetOf(origin: string, clock: Clock): RetryBudget {
    let budgets = this.#budgets.get(clock);
    if (!budgets) {
      budgets = new LruMap(MOST_ORIGINS, () => retryBudget({ clock }));
      this.#budgets.set(clock, budgets);
    }
    return budgets.get(origin);
  }
}

function attemptOf(this: Exchange, ...args: unknown[]): Promise<unknown> {
  return this.policy.attempt.apply(this, args);
}
