import type { BudgetRequest, LimitRequest, TokensReply } from "../protocol.js";
import { decay, KEPT, Kept, Rate } from "./common.js";

/** A bucket of tokens as the store keeps it. */
abstract class Bucket<R extends BudgetRequest | LimitRequest> extends Kept {
  protected at: number;

  constructor(
    protected tokens: number,
    now: number,
  ) {
    super(now);
    this.at = now;
  }

  exchange(request: R, time: number): { reply: TokensReply } {
    const now = Math.max(time, this.last - time > 1_000 ? time : this.last);
    this.last = now;
    const { again, late } = this.meet(request, now);
    this.refreshKnown(now);
    const passed = Math.max(0, now - this.at);
    this.at = now;
    this.fill(request, passed, again || late, now);
    // A token is taken when it is granted: where the reply is lost, so is the token.
    const granted = again ? 0 : Math.min(request.wanted, Math.floor(this.tokens));
    this.tokens -= granted;
    if (request.wanted === 0) this.countReport(request.most, now);
    else this.countOther();
    this.expireAt = now + KEPT;
    const answer = { tick: now, stretch: this.stretchNow(request.most), known: this.known };
    return { reply: { kind: request.kind, ...answer, granted, balance: this.tokens } };
  }

  /** Time passes, and what was reported comes in, unless it is `stale`. */
  protected abstract fill(request: R, passed: number, stale: boolean, now: number): void;
}

/** One retry budget for a fleet: what successes pay, what time fades. */
export class StoredBudget extends Bucket<BudgetRequest> {
  readonly #successes: Rate;

  constructor({ initial }: BudgetRequest, now: number) {
    super(initial, now);
    this.#successes = new Rate(now);
  }

  protected fill(request: BudgetRequest, passed: number, stale: boolean, now: number): void {
    const { successes, refunds, capacity, perSuccess, fade, every, floor, capacitySeconds } = request;
    if (this.tokens > floor) this.tokens = floor + (this.tokens - floor) * decay(passed, fade);
    else this.tokens = Math.min(floor, this.tokens + passed / every);
    this.#successes.add(stale ? 0 : successes, now);
    const most = Math.max(capacity, capacitySeconds * this.#successes.perSecond);
    this.tokens = Math.min(most, this.tokens + (stale ? 0 : perSuccess * successes + refunds));
  }
}

/** One limit for a fleet. */
export class StoredLimit extends Bucket<LimitRequest> {
  constructor({ burst }: LimitRequest, now: number) {
    super(burst, now);
  }

  protected fill({ perSecond, burst, refunds }: LimitRequest, passed: number, stale: boolean): void {
    this.tokens = Math.min(burst, this.tokens + (passed / 1_000) * perSecond + (stale ? 0 : refunds));
  }
}
