import type { Clock } from "../common/clock.js";
import type { FleetReply, FleetRequest, FleetTransport } from "./protocol.js";

/** ms after which the store is taken not to answer. */
const GIVEN_UP = 250;
/** Exchanges in a row without an answer that make the store a lost one. */
const LOST_AFTER = 2;
/** The stretch that one goes by who has not heard: thousands may begin at once, and one in four of them speaks for all. */
const NEWCOMERS = 40;
const FIRST_TRY = 500;
const LAST_TRY = 5_000;

/** What the guards of a fleet have in common. */
export interface FleetContext {
  readonly transport: FleetTransport;
  readonly clock: Clock;
  readonly random: () => number;
  /** ms between two reports. */
  readonly every: number;
  /** ms that what would else be refused waits at least for an answer. */
  readonly patience: number;
  /** ms after which a call asks first; Infinity for never. */
  readonly askAfter: number;
  /** Exchanges a second that one guard may cost the fleet. */
  readonly most: () => number;
  /** A line went or came back. */
  readonly changed: (line: Line, error: unknown) => void;
  /** Something that the user is to know, and no call. */
  readonly report: (error: unknown) => void;
}

/** A timer that keeps no process alive and outlives no line. */
export type Later = (fn: () => void, ms: number) => () => void;

/** The way from one guard to its store: what was asked, whether it is answered, when to try again. */
export class Line {
  readonly stats = { connected: false, exchanges: 0, unanswered: 0, roundTrip: 0, known: 0, stretch: 1 };
  readonly reporter: number;
  /** Neither an answer nor silence for long enough yet. */
  isNew = true;
  lost = false;
  heardAt = -Infinity;
  #tick = 0;
  #silent = 0;
  #tryAt = -Infinity;
  #backoff = FIRST_TRY;
  #closed = false;
  readonly #timers = new Set<() => void>();
  /** Each gives up on a request that is under way. */
  readonly #inFlight = new Set<() => void>();

  constructor(
    readonly context: FleetContext,
    readonly key: string,
    /** Asks at once whether the store is there. */
    private readonly look: () => void,
    /** The store is lost, or heard again. */
    private readonly turned: (lost: boolean) => void,
  ) {
    this.reporter = this.draw(0);
  }

  get now(): number {
    return this.context.clock.now();
  }

  /** A whole number from `least` to 2^32 - 1. */
  draw(least: number): number {
    return least + Math.floor(this.context.random() * (2 ** 32 - least));
  }

  /** `mean` ms, a quarter more or less. */
  about(mean: number): number {
    return mean * (0.75 + this.context.random() / 2);
  }

  /** ms that what would else be refused waits. */
  get patience(): number {
    return Math.min(Math.max(this.context.patience, 3 * this.stats.roundTrip), GIVEN_UP);
  }

  /** ms until the next report. */
  get interval(): number {
    const { every } = this.context;
    return Math.min(Math.max(1_000, every), every * this.stats.stretch);
  }

  /** How many outcomes one that is reported stands for: 0 where this one is not. */
  get weight(): number {
    const stretch = this.isNew ? NEWCOMERS : this.stats.stretch;
    if (stretch <= 10) return 1;
    const { random } = this.context;
    const each = stretch / 10;
    if (random() * each >= 1) return 0;
    return Math.floor(each + random());
  }

  /** Whether the store may be asked: it is not lost, or was left alone for long enough. */
  get mayTry(): boolean {
    return !this.#closed && (!this.lost || this.now >= this.#tryAt);
  }

  /** What every exchange carries. */
  envelope() {
    const { key, reporter } = this;
    const age = this.#tick === 0 ? 0 : Math.max(0, Math.round(this.now - this.heardAt));
    return { key, reporter, nonce: this.draw(1), tick: this.#tick, age, most: this.context.most() };
  }

  later: Later = (fn, ms) => {
    const cancel = this.context.clock.setTimer(
      () => {
        this.#timers.delete(stop);
        fn();
      },
      ms,
      true,
    );
    const stop = () => {
      this.#timers.delete(stop);
      cancel();
    };
    this.#timers.add(stop);
    return stop;
  };

  /** Resolves when what `look` asked has been replied to, or was not in time. */
  inTime(look: (then: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.later(resolve, this.patience);
      look(() => {
        stop();
        resolve();
      });
    });
  }

  /** Sends a request. The reply may come late, or never: nobody waits for this. `failed` is called where it did not come in time. */
  send(request: FleetRequest, replied: (reply: FleetReply) => void, failed: () => void = () => {}): void {
    if (this.#closed) return failed();
    const sentAt = this.now;
    this.stats.exchanges++;
    if (this.lost) this.#tryAgainLater();
    let pending = true;
    const settle = () => {
      pending = false;
      cancel();
      this.#inFlight.delete(giveUp);
    };
    const giveUp = () => {
      settle();
      failed();
    };
    const fail = (error: unknown) => {
      if (!pending) return;
      giveUp();
      this.#unanswered(error);
    };
    this.#inFlight.add(giveUp);
    const cancel = this.later(() => fail(new Error(`the store did not answer within ${GIVEN_UP} ms`)), GIVEN_UP);
    this.#exchange(request).then((reply) => {
      if (this.#closed) return;
      this.#heard(reply, pending ? this.now - sentAt : undefined);
      settle();
      replied(reply);
    }, fail);
  }

  /** What a transport throws is a rejection, too. */
  #exchange(request: FleetRequest): Promise<FleetReply> {
    try {
      return Promise.resolve(this.context.transport.exchange(request));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #heard({ tick, stretch, known }: FleetReply, roundTrip: number | undefined): void {
    const { stats } = this;
    stats.known = known;
    stats.stretch = stretch;
    if (roundTrip === undefined) return;
    stats.roundTrip = stats.roundTrip === 0 ? roundTrip : 0.8 * stats.roundTrip + 0.2 * roundTrip;
    this.#tick = tick;
    this.heardAt = this.now;
    this.#silent = 0;
    this.#backoff = FIRST_TRY;
    const { lost, isNew } = this;
    this.lost = false;
    this.isNew = false;
    stats.connected = true;
    if (lost) this.turned(false);
    if (lost || isNew) this.context.changed(this, undefined);
  }

  #unanswered(error: unknown): void {
    if (this.#closed) return;
    this.stats.unanswered++;
    if (this.lost) return;
    this.#silent++;
    if (this.#silent < LOST_AFTER) return this.look();
    this.lost = true;
    this.isNew = false;
    this.stats.connected = false;
    this.#tryAgainLater();
    this.turned(true);
    this.context.changed(this, error);
  }

  #tryAgainLater(): void {
    this.#tryAt = this.now + this.about(this.#backoff);
    this.#backoff = Math.min(2 * this.#backoff, LAST_TRY);
  }

  /** What is under way fails, so that nothing waits for it any more. */
  close(): void {
    this.#closed = true;
    this.stats.connected = false;
    for (const giveUp of [...this.#inFlight]) giveUp();
    for (const stop of [...this.#timers]) stop();
  }
}
