import type {
  AskedPause,
  BreakerReply,
  BreakerRequest,
  BudgetRequest,
  FleetReply,
  FleetRequest,
  LimitRequest,
  PauseRequest,
} from "../../src/fleet/protocol.js";
import { seededRandom } from "../../src/testing/seeded-random.js";

const ENVELOPE = { key: "k", reporter: 1, nonce: 1, tick: 0, age: 0, most: 1_000 };

/** A first exchange about a breaker, which has nothing to say but `more`. */
export function breakerRequest(more: Partial<BreakerRequest> = {}): BreakerRequest {
  const rule = { failureRate: 0.5, slowRate: 2, openFor: 30_000, maxOpenFor: 3_600_000, probes: 1 };
  const counts = { calls: 0, failures: 0, slow: 0, retryAfter: 0, vote: 0 };
  const known = { epoch: 0, generation: 0, was: 0, rate: 0 };
  const nothing = { claim: 0, probe: 0, ended: 0, command: 0, hello: 0 };
  return { kind: "breaker", ...ENVELOPE, ...rule, ...known, ...counts, ...nothing, ...more };
}

export function budgetRequest(more: Partial<BudgetRequest> = {}): BudgetRequest {
  const formula = { capacity: 10, initial: 10, perSuccess: 0.2, fade: 15_000, every: 60_000, floor: 3 };
  return { kind: "budget", ...ENVELOPE, ...formula, capacitySeconds: 1, successes: 0, refunds: 0, wanted: 0, ...more };
}

export function limitRequest(more: Partial<LimitRequest> = {}): LimitRequest {
  return { kind: "limit", ...ENVELOPE, perSecond: 5, burst: 5, refunds: 0, wanted: 0, ...more };
}

export function pauseRequest(more: Partial<PauseRequest> = {}): PauseRequest {
  return { kind: "pause", ...ENVELOPE, epoch: 0, asked: [{ key: "0".repeat(64), ms: 1_000 }], ...more };
}

/** One exchange of a made-up fleet. */
export interface Step {
  readonly request: FleetRequest;
  readonly now: number;
  /** The store forgets everything before. */
  readonly forgets: boolean;
}

/**
 * A source of exchanges as a lively fleet would make them: many processes and a few guards that fail in waves, newcomers,
 * resends, late and foreign reports, probes, commands, a clock that jumps. `heard` is to be told each reply, since much of
 * what a process says follows from the last one.
 */
export function exchangesOf(seed: number) {
  const random = seededRandom(seed);
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const oneOf = <T>(all: readonly T[]): T => all[whole(0, all.length - 1)]!;
  const chance = (share: number) => random() < share;
  const last = new Map<string, FleetReply>();
  const older = new Map<string, FleetReply[]>();
  /** What one says that knows of the end of an isolation that another has brought along. */
  const ended = new Map<string, Partial<BreakerRequest>>();
  const granted = new Map<string, number>();
  const sent: FleetRequest[] = [];
  const reporters = Array.from({ length: 400 }, () => whole(0, 2 ** 32 - 1));
  let now = 1_700_000_000_000 + whole(0, 1e9);
  let fleet = 3;
  let down = false;

  const pass = () => {
    if (chance(0.0005)) now += oneOf([-3_600_000, -5_000, -500, 3_600_000, 70_000]);
    else if (chance(0.02)) now += whole(100, 4_000);
    else now += whole(0, 20);
    if (chance(0.004)) down = !down;
    if (chance(0.003)) fleet = oneOf([1, 2, 5, 20, 60, 400]);
  };

  const envelope = (key: string, most = oneOf([5, 50, 1_000])) => {
    const tick = last.get(key)?.tick ?? 0;
    const age = Math.max(0, now - tick + (chance(0.03) ? whole(-3_000, 0) : whole(-50, 0)));
    return { key, reporter: oneOf(reporters.slice(0, fleet)), nonce: whole(1, 2 ** 32 - 1), tick, age, most };
  };

  const breaker = (): BreakerRequest => {
    const key = `b${whole(1, 3)}`;
    type Known = (Partial<BreakerRequest> & { state?: number; openings?: number } & FleetReply) | undefined;
    // One that was idle for long knows of an epoch before, a newcomer of none.
    const isStale = chance(0.1);
    const replies = isStale ? older.get(key) : chance(0.05) ? undefined : [last.get(key)];
    const known = oneOf(replies ?? [undefined]) as Known;
    const calls = chance(0.3) ? 0 : whole(1, 12);
    const failing = down ? random() : random() * 0.3;
    const failures = Math.min(calls, Math.round(calls * failing * 1.3));
    const probe = granted.get(key) ?? 0;
    return {
      kind: "breaker",
      ...envelope(key),
      failureRate: oneOf([0.5, 0.5, 0.5, 0.2, 1, 2]),
      slowRate: oneOf([2, 2, 0.4]),
      openFor: oneOf([30_000, 30_000, 500, 2_000]),
      maxOpenFor: 3_600_000,
      probes: oneOf([1, 1, 3]),
      epoch: chance(0.01) ? whole(1, 1e6) : ((known?.epoch as number) ?? 0),
      generation: Math.max(0, ((known?.generation as number) ?? 0) + (chance(isStale ? 0.5 : 0.02) ? whole(-1, 1) : 0)),
      was: isStale && chance(0.4) ? 0 : (known?.state ?? 0),
      rate: (known?.rate as number) ?? 0,
      calls,
      failures,
      slow: chance(0.2) ? whole(0, calls) : 0,
      retryAfter: chance(0.02) ? whole(1, 9_000) : 0,
      vote: down && chance(0.2) ? 1 : 0,
      claim: chance(0.4) ? 1 : 0,
      probe: chance(0.5) ? probe : 0,
      ended: whole(0, 2),
      command: chance(0.008) ? whole(1, 2) : 0,
      hello: chance(0.02) ? 1 : 0,
      ...(chance(0.03) ? ended.get(key) : undefined),
    };
  };

  // A burst now and then is more than a store keeps.
  const pauses = (): AskedPause[] => {
    const isBurst = chance(0.04);
    return Array.from({ length: isBurst ? 1_100 : whole(1, 3) }, (_, place) => ({
      key: (isBurst ? place : whole(0, 20)).toString(16).padStart(64, "0123456789abcdef"),
      ms: chance(0.02) ? oneOf([0, 1, 1e6, 86_400_001, 1e15]) : whole(1, 20_000),
    }));
  };

  const others = (): FleetRequest => {
    const wanted = chance(0.5) ? whole(1, 4) : 0;
    const refunds = chance(0.1) ? whole(1, 3) : 0;
    const kind = oneOf(["budget", "limit", "pause"] as const);
    if (kind === "pause") {
      const known = last.get("p") as { epoch?: number } | undefined;
      const epoch = chance(0.1) ? oneOf([0, whole(1, 1e6)]) : (known?.epoch ?? 0);
      return { kind, ...envelope("p"), epoch, asked: chance(0.4) ? pauses() : [] };
    }
    if (kind === "limit") return { kind, ...envelope("l"), wanted, refunds, perSecond: 7.3, burst: 12 };
    const formula = { capacity: 10, initial: 10, perSuccess: 0.2, fade: 15_000, every: 60_000, floor: 3 };
    const successes = down ? whole(0, 1) : whole(0, 30);
    return { kind, ...envelope("t"), ...formula, successes, refunds, wanted, capacitySeconds: 1 };
  };

  return {
    next(): Step {
      pass();
      const resend = sent.length > 0 && chance(0.05) ? oneOf(sent.slice(-40)) : undefined;
      const request = resend ?? (chance(0.7) ? breaker() : others());
      sent.push(request);
      return { request, now, forgets: chance(0.005) };
    },
    heard(request: FleetRequest, reply: FleetReply) {
      last.set(request.key, reply);
      if (request.kind === "breaker" && request.was === 2 && request.epoch !== (reply as BreakerReply).epoch) {
        const { epoch, generation } = request;
        ended.set(request.key, { epoch, generation: generation + 1, was: 0 });
      }
      if (chance(0.02)) older.set(request.key, [...(older.get(request.key) ?? []).slice(-20), reply]);
      if (reply.kind === "breaker" && reply.granted === 1) granted.set(request.key, request.nonce);
    },
  };
}
