import type { RetryBudget, RetryState } from "../common/attempt.js";
import { asksSync } from "../common/sync-ask.js";
import { Lease } from "./lease.js";
import { type FleetContext, Line } from "./line.js";
import type { BudgetRequest, FleetRequest, LimitRequest, TokensReply } from "./protocol.js";

/** ms, about, for which a refusal is remembered. */
const DRY_FOR = 1_000;
const MOST_WANTED = 1_000;

/** What a shared kind of budget says to its store, and does without it. */
export interface Tokens {
  /** Its part of a request. */
  request(wanted: number, refunds: number, successes: number): Partial<BudgetRequest> | Partial<LimitRequest>;
  /** There is none left in the fleet. */
  dry(): void;
  /** A success pays this much beside. */
  refundOf(taken: number, after: RetryState | undefined): number;
  /** Whether tokens may be leased ahead, where so many are left in the fleet. */
  leases(balance: number): boolean;
  /** The store is lost, or heard again. */
  turned(lost: boolean, known: number, alone: boolean): unknown;
  /** Whether a success is worth a report. */
  readonly paid: boolean;
}

type Wanting = (granted: boolean | undefined) => void;

/** One budget's part in its fleet: it stands in the place of the budget's own methods. */
export class SharedBudget {
  readonly line: Line;
  readonly #own: {
    acquire: RetryBudget["acquire"];
    recordSuccess: RetryBudget["recordSuccess"];
    refund: RetryBudget["refund"];
  };
  readonly #descriptors: PropertyDescriptorMap;
  #successes = 0;
  #refunds = 0;
  readonly #lease: Lease;
  #balance: number | undefined;
  #dryUntil = -Infinity;
  #waiting: Wanting[] = [];
  #asking = false;
  /** It has taken a token of its own since the store was last heard. */
  #alone = false;
  #flush: (() => void) | undefined;
  #first: Promise<void> | undefined;

  constructor(
    private readonly budget: RetryBudget,
    private readonly tokens: Tokens,
    context: FleetContext,
    key: string,
  ) {
    this.line = new Line(
      context,
      key,
      () => this.look(),
      (lost) => this.#turned(lost),
    );
    this.#lease = new Lease(this.line, (tokens) => this.#giveBack(tokens));
    this.#descriptors = Object.getOwnPropertyDescriptors(budget);
    const { acquire, recordSuccess, refund } = budget;
    this.#own = { acquire, recordSuccess, refund };
    Object.defineProperties(budget, {
      acquire: { value: (state: RetryState) => this.#acquire(state) },
      recordSuccess: {
        value: (taken: number, after?: RetryState, args?: readonly unknown[]) => this.#succeeded(taken, after, args),
      },
      refund: { value: (taken: number, state?: RetryState) => this.#refund(taken, state) },
      balance: { get: () => this.#balance },
    });
  }

  #acquire(state: RetryState): number | Promise<number> {
    const { line } = this;
    if (line.lost) {
      if (line.mayTry) this.look();
      return this.#own.acquire(state);
    }
    if (asksSync()) return this.#own.acquire(state);
    if (this.#lease.take()) {
      this.#askForAll();
      return 1;
    }
    if (line.now < this.#dryUntil) return 0;
    return this.#ask(state);
  }

  #ask(state: RetryState): Promise<number> {
    return new Promise((resolve, reject) => {
      const { line } = this;
      let waits = true;
      const answer = (granted: boolean | undefined) => {
        // A token that comes too late goes back.
        if (!waits) {
          if (granted) this.#giveBack(1);
          return;
        }
        waits = false;
        stop();
        if (granted !== undefined) return resolve(granted ? 1 : 0);
        this.#alone = true;
        try {
          resolve(this.#own.acquire(state));
        } catch (error) {
          reject(error);
        }
      };
      const stop = line.later(() => answer(undefined), line.patience);
      this.#waiting.push(answer);
      this.#askForAll();
    });
  }

  /** One exchange at a time asks for all that wait, and for what is leased ahead. */
  #askForAll(): void {
    if (this.#asking) return;
    const served = this.#waiting.splice(0, MOST_WANTED);
    const wanted = Math.min(MOST_WANTED, served.length + this.#ahead());
    if (wanted === 0) return;
    this.#asking = true;
    const over = () => {
      this.#asking = false;
      if (this.#waiting.length > 0) this.#askForAll();
    };
    this.#send(
      wanted,
      ({ granted }) => {
        served.forEach((answer, place) => {
          answer(place < granted);
        });
        this.#lease.add(Math.max(0, granted - served.length));
        if (granted < served.length) this.#isDry();
        over();
      },
      () => {
        for (const answer of served) answer(undefined);
        over();
      },
    );
  }

  #ahead(): number {
    return this.#balance !== undefined && this.tokens.leases(this.#balance) ? this.#lease.missing : 0;
  }

  #isDry(): void {
    this.#dryUntil = this.line.now + this.line.about(DRY_FOR);
    this.tokens.dry();
  }

  #succeeded(taken: number, after: RetryState | undefined, args: readonly unknown[] | undefined): void {
    this.#own.recordSuccess(0, after, args);
    const back = this.tokens.refundOf(taken, after);
    if (this.line.lost) {
      if (back > 0) this.#own.refund(back, after);
      return;
    }
    const weight = this.tokens.paid ? this.line.weight : 0;
    this.#successes += weight;
    this.#refunds += back;
    if (weight > 0 || back > 0) this.#reportSoon();
  }

  #refund(taken: number, state: RetryState | undefined): void {
    if (this.line.lost) this.#own.refund(taken, state);
    else this.#giveBack(taken);
  }

  #giveBack(taken: number): void {
    this.#refunds += taken;
    this.#reportSoon();
  }

  #reportSoon(): void {
    this.#flush ??= this.line.later(() => {
      this.#flush = undefined;
      if (!this.line.lost && this.#successes + this.#refunds > 0) this.look();
    }, this.line.interval);
  }

  ready(): Promise<void> {
    this.#first ??= this.line.inTime((then) => this.#send(0, then, then));
    return this.#first;
  }

  /** Reports, and asks how it stands. */
  look(): void {
    this.#send(0);
  }

  #send(wanted: number, replied: (reply: TokensReply) => void = () => {}, failed: () => void = () => {}): void {
    const successes = this.#successes;
    const refunds = this.#refunds;
    this.#successes = 0;
    this.#refunds = 0;
    const request = { ...this.line.envelope(), ...this.tokens.request(wanted, refunds, successes) } as FleetRequest;
    this.line.send(
      request,
      (reply) => {
        this.#balance = (reply as TokensReply).balance;
        this.#alone = false;
        replied(reply as TokensReply);
      },
      failed,
    );
  }

  #turned(lost: boolean): void {
    this.#successes = 0;
    this.#refunds = 0;
    this.tokens.turned(lost, this.line.stats.known, this.#alone);
  }

  /** It is its own budget again. */
  close(): void {
    this.line.close();
    Object.defineProperties(this.budget, {
      acquire: this.#descriptors.acquire!,
      recordSuccess: this.#descriptors.recordSuccess!,
      refund: this.#descriptors.refund!,
      balance: this.#descriptors.balance!,
    });
  }
}
