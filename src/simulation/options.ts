import type { RetryOptions } from "../common/attempt.js";
import type { Clock } from "../common/clock.js";
import {
  ABOVE_0,
  check,
  FINITE,
  FUNCTION,
  OPTIONS,
  RATE,
  type Rule,
  readOptions,
  SPAN,
  TIME,
  WHOLE,
} from "../common/validate.js";

/** A fleet of clients, what they call, what happens to it, and how the clients call. Times are in ms. */
export interface SimulateOptions {
  /**
   * How each client calls. Options of `retry`: each client retries as they say, with an `attemptTimeout` of 1,000 unless
   * they say otherwise. A function is called once for each client, and returns either options, or how that client calls:
   * guards that it makes, with the simulation's `clock`, are that client's own, and those that it closes over are shared
   * by all. `{}` is the default policy, `{ stop: stopAfterAttempt(1) }` no retries.
   */
  policy: RetryOptions | ((client: SimulatedClient) => RetryOptions | Send);
  /**
   * Clients, a whole number from 1.
   * @default 20
   */
  clients?: number | undefined;
  /**
   * Calls a second of each client, above 0, or a function of its number, from 0. A call starts when it is due, whether or
   * not earlier ones came back.
   * @default 10
   */
  rate?: number | ((index: number) => number) | undefined;
  /**
   * When a client, by its number from 0, begins to call: ms from 0.
   * @default () => 0
   */
  joins?: ((index: number) => number) | undefined;
  /** What they call. */
  server?: SimulatedServerOptions | undefined;
  /**
   * What happens to the server, or to the first shard: one of the kinds for 30 s, or with numbers of your own.
   * @default nothing happens
   */
  outage?: OutageKind | Outage | undefined;
  /**
   * ms, from 0, before the outage: what guards have learned by then counts.
   * @default 60_000
   */
  before?: number | undefined;
  /**
   * ms, from 0, for which the server is watched after the outage.
   * @default 60_000
   */
  after?: number | undefined;
  /**
   * Any finite number. The same seed plays the same run, and every policy gets the very same calls.
   * @default 1
   */
  seed?: number | undefined;
}

/** A server: one worker, and a queue, first in first out. It works also for clients that no longer wait. */
export interface SimulatedServerOptions {
  /**
   * What it can do, as a multiple of the normal load (all clients' rates), above 0.
   * @default 1.2
   */
  capacity?: number | undefined;
  /**
   * ms of work that may wait, from 0; what comes beyond is refused with a 503.
   * @default 2_000
   */
  queue?: number | undefined;
  /**
   * ms, from 0, that an answer takes beside its share of the worker's time.
   * @default 0
   */
  latency?: number | undefined;
  /**
   * The share of requests, from 0 to 1, that fail with a 500 for no reason at all.
   * @default 0
   */
  failing?: number | undefined;
  /**
   * Servers with a share of the calls and of the capacity each, a whole number from 1. The first of them has the outage, and what
   * is measured is what its callers see.
   * @default 1
   */
  shards?: number | undefined;
}

/**
 * How a server fails: nothing comes back (`"blackhole"`), every connection is refused, it works more slowly, or a share of the
 * requests fails with a 500 (`"failing"`).
 */
export type OutageKind = "blackhole" | "refused" | "slow" | "failing";

/** An outage in numbers. */
export interface Outage {
  kind: OutageKind;
  /**
   * ms, above 0.
   * @default 30_000
   */
  lasts?: number | undefined;
  /**
   * For `"slow"`: what is left of the capacity, above 0 and at most 1.
   * @default 0.4
   */
  pace?: number | undefined;
  /**
   * For `"failing"`: the share of requests that fail, from 0 to 1.
   * @default 0.5
   */
  share?: number | undefined;
}

/** What a client has at hand. */
export interface SimulatedClient {
  /** Sends one request. It rejects where the server refuses or fails, and may never settle: give the attempt a timeout. */
  readonly send: Send;
  /** The time of the simulation, for all that takes a clock. */
  readonly clock: Clock;
  /** The chance of the simulation, for all that takes a source of randomness. */
  readonly random: () => number;
  /** The client's number, from 0. */
  readonly index: number;
}

/** How a client calls, or sends one request for a call. */
export type Send = (call: SimulatedCall) => Promise<unknown>;

/** One call of a client. */
export interface SimulatedCall {
  /** The number of the shard that it goes to, from 0. */
  readonly shard: number;
  /** Requests sent for it so far. */
  readonly attempts: number;
}

/** What came of it: plain data. */
export interface SimulationResult {
  /** Requests per call that was due while the outage lasted: 1 without retries. Without an outage, over the whole run. */
  readonly load: number;
  /** Requests of the busiest second after the outage, as a multiple of the normal load. */
  readonly peak: number;
  /**
   * ms after the outage from which on 99 % of first attempts succeed, second by second, to the end of the run; `Infinity`
   * where they do not.
   */
  readonly recovery: number;
  /** The share of calls that succeeded in the end, over the whole run, from 0 to 1. */
  readonly success: number;
  /** Calls that were due, over the whole run. */
  readonly calls: number;
  /** Requests that were sent, over the whole run. */
  readonly attempts: number;
  /** The same for each second of the run. */
  readonly perSecond: readonly SimulatedSecond[];
}

/** What the server's callers saw in one second. */
export interface SimulatedSecond {
  /** Calls that were due. */
  readonly calls: number;
  /** Requests that were sent, for whichever call. */
  readonly attempts: number;
  /** Of the calls due in this second, those whose first attempt succeeded. */
  readonly firstSuccesses: number;
  /** Of the calls due in this second, those that succeeded in the end. */
  readonly successes: number;
}

/** Options of `simulate`, checked and filled. */
export interface Scenario {
  readonly policy: SimulateOptions["policy"];
  readonly clients: number;
  readonly rateOf: (index: number) => number;
  readonly joins: (index: number) => number;
  readonly server: Required<{ [Name in keyof SimulatedServerOptions]: number }>;
  readonly outage: Required<{ [Name in keyof Outage]: Exclude<Outage[Name], undefined> }> | undefined;
  /** ms before, in and after the outage. */
  readonly before: number;
  readonly during: number;
  readonly after: number;
  readonly seed: number;
}

const KINDS = ["blackhole", "refused", "slow", "failing"];
const SHARE: Rule = ["a number from 0 to 1", "number", (share) => share >= 0 && share <= 1];
const KIND: Rule = [`one of ${KINDS.join(", ")}`, "string", (kind) => KINDS.includes(kind)];

const RULES: Record<keyof SimulateOptions, Rule> = {
  policy: ["options of retry, or a function", "object|function", (of) => typeof of === "function" || isOptions(of)],
  clients: WHOLE,
  rate: ["a finite number above 0, or a function", "any", (of) => typeof of === "function" || isAbove0(of)],
  joins: FUNCTION,
  server: OPTIONS,
  outage: [`an object, or ${KIND[0]}`, "object|string", (of) => isOptions(of) || KINDS.includes(of)],
  before: TIME,
  after: TIME,
  seed: FINITE,
};
const SERVER: Record<keyof SimulatedServerOptions, Rule> = {
  capacity: ABOVE_0,
  queue: TIME,
  latency: TIME,
  failing: SHARE,
  shards: WHOLE,
};
const OUTAGE: Record<keyof Outage, Rule> = { kind: KIND, lasts: SPAN, pace: RATE, share: SHARE };

/** Reads the options of `simulate`. */
export function scenarioOf(options: SimulateOptions): Scenario {
  const given = readOptions("simulate", options, RULES, ["policy"]);
  const { policy, clients = 20, rate = 10, joins = () => 0, before = 60_000, after = 60_000, seed = 1 } = given;
  const outage = outageOf(given.outage);
  if (typeof policy !== "function") checkShared(policy);
  const rateOf = typeof rate === "function" ? rate : () => rate;
  return {
    policy,
    clients,
    rateOf: (index) => checked("what rate returned", rateOf(index), ABOVE_0),
    joins: (index) => checked("what joins returned", joins(index), TIME),
    server: serverOf(given.server),
    outage,
    before,
    during: outage?.lasts ?? 0,
    after,
    seed,
  };
}

function serverOf(options: SimulatedServerOptions = {}): Scenario["server"] {
  const given = readOptions("simulate's server", options, SERVER);
  const { capacity = 1.2, queue = 2_000, latency = 0, failing = 0, shards = 1 } = given;
  return { capacity, queue, latency, failing, shards };
}

function outageOf(outage: SimulateOptions["outage"]): Scenario["outage"] {
  if (outage === undefined) return undefined;
  const options = typeof outage === "string" ? { kind: outage } : outage;
  const { kind, lasts = 30_000, pace = 0.4, share = 0.5 } = readOptions("simulate's outage", options, OUTAGE, ["kind"]);
  return { kind, lasts, pace, share };
}

/** What all clients would share, or what lives by another time. */
function checkShared(policy: RetryOptions): void {
  for (const name of ["budget", "clock", "random", "signal"] as const) {
    if (policy[name] === undefined) continue;
    throw new TypeError(
      `simulate: policy.${name} needs a policy that is a function: it is called once for each client and makes what is that client's own`,
    );
  }
}

function checked(what: string, value: number, rule: Rule): number {
  check("simulate", what, value, rule);
  return value;
}

function isOptions(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbove0(value: unknown): boolean {
  return typeof value === "number" && value > 0 && value < Infinity;
}
