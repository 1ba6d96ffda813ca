import { type BreakerReply, type BreakerRequest, COMMAND, type FleetNews, PROBE, STATE } from "../protocol.js";
import { KEPT, Kept, Rate } from "./common.js";
import { Reporters } from "./reporters.js";
import { Slices } from "./slices.js";

const LEASE = 3_000;
const LEAST_OPEN = 1_000;
/** An opening lasts about as long as so many calls take. */
const OPEN_CALLS = 100;
const LEAST_CALLS = 50;
const LEAST_SLICES = 10;
const LEAST_REPORTERS = 20;
// Two that share a bit are one: of 20, seldom more than 2 are lost so.
const MOST_OF = 0.8;
const ISOLATED_FOR = 86_400_000;
const VOTE_BITS = 2_048;
/** What is known here of what was done by hand. A command of this epoch's is newer than all that is carried into it. */
const HAND = { nothing: 0, carried: 1, commanded: 2 } as const;

/** A breaker as the store keeps it. Every step of it is one of the script's, too. */
export class StoredBreaker extends Kept {
  generation = 1;
  state: number = STATE.closed;
  until = 0;
  length = 0;
  openings = 0;
  forgetAt = 0;
  lease = 0;
  leaseUntil = 0;
  probes = 0;
  askedUntil = 0;
  hand: number = HAND.nothing;
  /** The epoch before, and the newest that is known of it: what was isolated there is so here. */
  past: number;
  pastGeneration: number;
  rule: string;
  readonly rate: Rate;
  readonly slices = new Slices();
  votes = new Reporters(VOTE_BITS, 1_000, 3);

  constructor(
    readonly epoch: number,
    request: BreakerRequest,
    now: number,
  ) {
    super(now);
    this.past = request.epoch;
    this.pastGeneration = request.generation;
    this.rule = ruleOf(request);
    this.rate = new Rate(now);
    if (request.epoch !== 0) this.rate.begin(request.rate);
    // The store began anew, and its fleet was open: so it is again, for as short as can be.
    if (request.epoch !== 0 && request.was !== STATE.closed) this.#become(request.was, LEAST_OPEN, now);
  }

  exchange(request: BreakerRequest, time: number): { reply: BreakerReply; news?: FleetNews } {
    const now = this.#setTime(time);
    const { again, late } = this.meet(request, now);
    this.refreshKnown(now);
    if (request.calls === 0) this.countOther();
    this.#catchUp(request, now);
    let pushed = !again && this.#carry(request, now);
    const before = this.generation;
    if (request.hello === 1 && !again) this.rule = ruleOf(request);
    if (request.command !== COMMAND.none && !again) pushed = this.#obey(request, now);
    const current = request.epoch === this.epoch && request.generation === before && this.generation === before;
    if (this.state === STATE.closed) {
      if (current && !again && !late) pushed = this.#count(request, now) || pushed;
      else this.rate.add(0, now);
    } else this.rate.skip(now);
    let granted = 0;
    if (this.state === STATE.open) {
      if (current && request.probe !== 0 && request.probe === this.lease) pushed = this.#judge(request, now) || pushed;
      if (this.state === STATE.open && this.until <= now) granted = this.#claim(request, now);
    }
    this.#keep(now);
    const differs = this.rule === ruleOf(request) ? 0 : 1;
    const answer = { tick: now, stretch: this.stretchNow(request.most), known: this.known, granted, differs };
    const verdict = this.#verdict(now);
    const news: FleetNews | undefined = pushed ? { kind: "breaker", key: request.key, ...verdict } : undefined;
    return { reply: { kind: "breaker", ...verdict, ...answer }, ...(news && { news }) };
  }

  /** The clock may be another one since a failover: what was to come stays as far off as it was. */
  #setTime(time: number): number {
    const back = this.last - time;
    if (back > 0 && back <= 1_000) return this.last;
    if (back > 0) {
      this.until -= back;
      this.leaseUntil -= back;
      this.forgetAt -= back;
      this.askedUntil -= back;
      this.rate.skip(time);
    }
    this.last = time;
    return time;
  }

  /** A store that took over from another may not have heard of the last change. */
  #catchUp({ epoch, generation, was }: BreakerRequest, now: number): void {
    if (epoch !== this.epoch || generation <= this.generation) return;
    this.#become(was, was === STATE.open ? LEAST_OPEN : 0, now);
    this.generation = generation;
  }

  /**
   * A store that began anew may have been asked first by a process that knew nothing; one that knows of an isolation by
   * hand brings it along, and one that knows that it was ended ends it. Returns whether that changed anything.
   */
  #carry({ epoch, generation, was, age }: BreakerRequest, now: number): boolean {
    if (epoch === 0 || epoch === this.epoch || this.hand === HAND.commanded || age > ISOLATED_FOR) return false;
    const isKnown = epoch === this.past;
    if (isKnown && generation <= this.pastGeneration) return false;
    const isIsolated = was === STATE.isolated;
    if (isKnown || isIsolated || this.past === 0) {
      this.past = epoch;
      this.pastGeneration = generation;
    }
    // Of two other epochs nobody knows which is the newer one: then it is safer not to call.
    if (isIsolated === (this.state === STATE.isolated) || !(isIsolated || isKnown)) return false;
    this.#become(isIsolated ? STATE.isolated : STATE.closed, 0, now);
    this.openings = 0;
    this.forgetAt = 0;
    return true;
  }

  #obey({ command }: BreakerRequest, now: number): boolean {
    const state = command === COMMAND.isolate ? STATE.isolated : STATE.closed;
    this.#become(state, 0, now);
    this.hand = HAND.commanded;
    this.openings = 0;
    this.forgetAt = 0;
    return true;
  }

  /** Counts what a process reports; returns whether that opened it. */
  #count(request: BreakerRequest, now: number): boolean {
    const { calls, failures, slow, failureRate, slowRate, retryAfter, vote, reporter } = request;
    this.rate.add(calls, now);
    if (calls > 0) {
      this.countReport(request.most, now);
      const bad = failures >= failureRate * calls || slow >= slowRate * calls;
      this.slices.add({ calls, failures, slow, reporter }, bad, now);
    }
    if (retryAfter > 0) this.askedUntil = Math.max(this.askedUntil, now + retryAfter);
    if (vote === 1) this.votes.add(reporter, now);
    if (failures === 0 && slow === 0 && vote === 0) return false;
    const outvoted = vote === 1 && this.votes.count(now) * 2 > this.countKnown(now);
    if (!outvoted && !this.#isDown(request, now)) return false;
    this.#open(request, now);
    return true;
  }

  #isDown({ failureRate, slowRate }: BreakerRequest, now: number): boolean {
    const least = {
      slices: LEAST_SLICES,
      calls: LEAST_CALLS,
      reporters: MOST_OF * Math.min(LEAST_REPORTERS, this.known),
    };
    const seen = this.slices.newest(least, now);
    if (!seen || seen.bad * 2 < seen.reporters) return false;
    return exceeds(seen.failures, seen.calls, failureRate) || exceeds(seen.slow, seen.calls, slowRate);
  }

  #open(request: BreakerRequest, now: number): void {
    const openings = (now < this.forgetAt ? this.openings : 0) + 1;
    const { perSecond } = this.rate;
    const usual = perSecond > 0 ? (OPEN_CALLS * 1_000) / perSecond : request.openFor;
    const openFor = Math.min(Math.max(usual, LEAST_OPEN), request.openFor);
    const length = Math.floor(Math.min(Math.max(openFor, this.askedUntil - now), request.maxOpenFor) + 0.5);
    this.#become(STATE.open, length, now);
    this.openings = openings;
  }

  #become(state: number, length: number, now: number): void {
    if (state === STATE.isolated || this.state === STATE.isolated) this.hand = Math.max(this.hand, HAND.carried);
    this.generation++;
    this.state = state;
    this.length = length;
    this.until = now + length;
    this.lease = 0;
    this.leaseUntil = 0;
    this.probes = 0;
    this.askedUntil = 0;
    this.slices.clear();
    this.votes = new Reporters(VOTE_BITS, 1_000, 3);
  }

  /** A probe ended; returns whether that closed it. */
  #judge(request: BreakerRequest, now: number): boolean {
    const { ended, retryAfter } = request;
    this.lease = 0;
    this.leaseUntil = 0;
    if (ended === PROBE.succeeded) {
      this.probes++;
      if (this.probes < request.probes) return false;
      const { length, openings } = this;
      this.#become(STATE.closed, 0, now);
      this.openings = openings;
      this.forgetAt = now + length;
      return true;
    }
    if (ended === PROBE.failed) {
      // It was open until now: the openings in a row go on.
      this.forgetAt = now + 1;
      if (retryAfter > 0) this.askedUntil = now + retryAfter;
      this.#open(request, now);
    }
    return false;
  }

  #claim({ claim, nonce }: BreakerRequest, now: number): number {
    if (claim !== 1) return 0;
    if (this.lease === nonce) return 1;
    if (this.lease !== 0 && this.leaseUntil > now) return 0;
    this.lease = nonce;
    this.leaseUntil = now + LEASE;
    return 1;
  }

  #keep(now: number): void {
    const left = this.state === STATE.open ? Math.max(0, this.until - now) : 0;
    // What was ended by hand, too: one that was idle meanwhile would bring it along.
    this.expireAt = now + (this.hand === HAND.nothing ? KEPT + left : ISOLATED_FOR);
  }

  #verdict(now: number) {
    const { epoch, generation, state, openings } = this;
    const remaining = state === STATE.open ? Math.max(0, this.until - now) : 0;
    return { epoch, generation, state, remaining, openings, rate: this.rate.perSecond };
  }
}

/** Whether so many of `calls` are too many: more than chance would have it. */
function exceeds(count: number, calls: number, rate: number): boolean {
  if (rate > 1) return false;
  return count >= Math.min(calls, rate * calls + 3 * Math.sqrt(calls * rate * (1 - rate)));
}

function ruleOf({ failureRate, slowRate, maxOpenFor, probes }: BreakerRequest): string {
  return `${failureRate} ${slowRate} ${maxOpenFor} ${probes}`;
}
