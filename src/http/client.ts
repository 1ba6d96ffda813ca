import { retryBudget } from "../budget/retry-budget.js";
import type { RetryBudget } from "../common/attempt.js";
import type { Clock } from "../common/clock.js";
import { LruMap } from "../common/lru-map.js";
import type { Pause, SharedPauses } from "../common/pause.js";
import { type Target, targetOf } from "../loop/target.js";
import { Renewals } from "./authorize.js";
import { PausedOrigins } from "./paused-origins.js";
import type { Transport } from "./transport.js";

const MOST_ORIGINS = 1_000;

/** What a client, and those made from it by `with`, keep from call to call. */
export class HttpClient {
  readonly #pauses = new PausedOrigins(MOST_ORIGINS);
  readonly renewals = new Renewals(MOST_ORIGINS);
  readonly target: Target;
  /** The budget that was asked for last: most clients call one origin. */
  #last: { readonly origin: string; readonly clock: Clock; readonly budget: RetryBudget } | undefined;
  // Policies may have different clocks; nearly always there is one.
  readonly #budgets = new WeakMap<Clock, LruMap<RetryBudget>>();

  constructor(
    /** Whom errors name. */
    readonly owner: string,
    /** One attempt of a call, which is its `this`. */
    attempt: (...args: unknown[]) => Promise<unknown>,
  ) {
    this.target = { ...targetOf(owner, attempt, owner), http: true };
  }

  /** What may hold a call back. */
  pauseOf(option: boolean | SharedPauses | undefined, { origin, request }: Transport, clock: Clock): Pause | undefined {
    if (!option) return undefined;
    return option === true ? this.#pauses.pauseOf(origin, clock) : option.pauseOf(request);
  }

  budgetOf(origin: string, clock: Clock): RetryBudget {
    if (this.#last?.origin === origin && this.#last.clock === clock) return this.#last.budget;
    let budgets = this.#budgets.get(clock);
    if (!budgets) {
      budgets = new LruMap(MOST_ORIGINS, () => retryBudget({ clock }));
      this.#budgets.set(clock, budgets);
    }
    const budget = budgets.get(origin);
    this.#last = { origin, clock, budget };
    return budget;
  }
}
