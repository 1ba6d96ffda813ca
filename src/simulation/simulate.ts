import { kindOf, MISUSE } from "../common/brand.js";
import type { Clock } from "../common/clock.js";
import { show } from "../common/validate.js";
import { retry } from "../retry.js";
import { seededRandom } from "../testing/seeded-random.js";
import { type SimulationClock, simulationClock } from "./clock.js";
import { measuresOf } from "./measures.js";
import {
  type Scenario,
  type Send,
  type SimulatedClient,
  type SimulatedSecond,
  type SimulateOptions,
  type SimulationResult,
  scenarioOf,
} from "./options.js";
import { Server } from "./server.js";

type Counts = { -readonly [Name in keyof SimulatedSecond]: SimulatedSecond[Name] };
type Call = { readonly shard: number; attempts: number };

// ms for which clients go on calling past the end of a scenario, uncounted, so that its last calls are retried on a server
// as busy as before; and for which they are played at most after that.
const AFTERMATH = 10_000;
const PATIENCE = 600_000;

const MOST_ATTEMPTS = 100_000;

/**
 * Plays a fleet of clients, a server and an outage on virtual time, and returns what came of it: what a policy does to a
 * server that is down, and how long that outlives the outage. Deterministic: the same seed plays the same run, and every
 * policy gets the very same calls. Guards belong into a `policy` that is a function, with the `clock` that it is given.
 * Rejects with a `TypeError` or `RangeError` for bad input, and with the error of a policy that is wrong (`StrategyError`).
 *
 * @example
 * const four = { stop: stopAfterAttempt(4), wait: waitFullJitter({ base: 500, max: 20_000 }) };
 * const without = await simulate({ policy: four, outage: "refused" });
 * const withBudget = await simulate({
 *   policy: ({ clock }) => ({ ...four, budget: retryBudget({ clock }) }),
 *   outage: "refused",
 * });
 * [without.load.toFixed(2), withBudget.load.toFixed(2)]; // => ["3.91", "1.03"]
 * [without.recovery, withBudget.recovery]; // => [Infinity, 0]
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  return new Play(scenarioOf(options)).result();
}

class Play {
  readonly #clock: SimulationClock = simulationClock();
  // Two sources, so that every policy gets the very same calls.
  readonly #draw: () => number;
  readonly #random: () => number;
  readonly #servers: readonly Server[];
  readonly #seconds: readonly Counts[];
  readonly #end: number;
  /** Calls a second at each server. */
  readonly #normalLoad: number;
  readonly #rates: readonly number[];
  /** Calls that have not ended. */
  #open = 0;

  constructor(readonly scenario: Scenario) {
    const { clients, rateOf, server, before, during, after, seed } = scenario;
    const { shards } = server;
    this.#draw = seededRandom(seed);
    this.#random = seededRandom(seed + 1);
    this.#rates = Array.from({ length: clients }, (_, index) => rateOf(index));
    const load = this.#rates.every((rate) => rate === this.#rates[0])
      ? clients * this.#rates[0]!
      : this.#rates.reduce((sum, rate) => sum + rate, 0);
    this.#normalLoad = load / shards;
    const made = { ...server, clock: this.#clock, random: this.#random, capacity: (server.capacity * load) / shards };
    this.#servers = Array.from({ length: shards }, () => new Server(made));
    this.#end = before + during + after;
    this.#seconds = blank(Math.ceil((this.#end + AFTERMATH) / 1_000));
  }

  async result(): Promise<SimulationResult> {
    const { scenario } = this;
    const { clients, before, during, outage } = scenario;
    for (let index = 0; index < clients; index++) this.#join(index);
    this.#clock.setTimer(() => this.#breakDown(outage), before);
    this.#clock.setTimer(() => this.#breakDown(undefined), before + during);
    const lastCall = this.#seconds.length * 1_000;
    this.#clock.setTimer(() => this.#endWhereDone(), lastCall);
    await this.#clock.run(lastCall + PATIENCE);
    const seconds = this.#seconds.slice(0, Math.ceil(this.#end / 1_000));
    return measuresOf(scenario, seconds, this.#normalLoad);
  }

  #breakDown(outage: Scenario["outage"]): void {
    this.#servers[0]!.outage = outage;
  }

  #join(index: number): void {
    const every = 1_000 / this.#rates[index]!;
    const client = clientOf(this.scenario.policy, {
      clock: this.#clock,
      random: this.#random,
      index,
      send: (call) => this.#send(call as Call),
    });
    const phase = this.scenario.joins(index) + this.#draw() * every;
    const end = this.#seconds.length * 1_000;
    const start = () => this.#start(client, Math.floor(this.#draw() * this.scenario.server.shards));
    repeat(this.#clock, { phase, every, end }, start);
  }

  #send(call: Call): Promise<void> {
    const second = this.#thisSecond();
    if (++call.attempts > MOST_ATTEMPTS) {
      this.#clock.fail(
        new Error(`simulate: one call has sent ${MOST_ATTEMPTS} requests: its policy needs a stop or a wait`),
      );
      return new Promise(() => {});
    }
    if (second && call.shard === 0) second.attempts++;
    return this.#servers[call.shard]!.request();
  }

  /** Makes one call, and notes in the second in which it is due what becomes of it. */
  #start(client: Send, shard: number): void {
    const second = this.#thisSecond()!;
    const call: Call = { shard, attempts: 0 };
    const share = shard === 0 ? 1 : 0;
    second.calls += share;
    this.#open++;
    const succeeded = () => {
      second.successes += share;
      if (call.attempts === 1) second.firstSuccesses += share;
    };
    // A call that fails is what is counted; a policy that is wrong is not.
    const failed = (error: unknown) => {
      if (kindOf(error) === "ERR_RETRY_STRATEGY" || kindOf(error) === MISUSE) this.#clock.fail(error);
    };
    client(call)
      .then(succeeded, failed)
      .then(() => {
        this.#open--;
        this.#endWhereDone();
      });
  }

  /** What guards do with their timers when nobody calls any more is not played. */
  #endWhereDone(): void {
    if (this.#open === 0 && this.#clock.now() >= this.#seconds.length * 1_000) this.#clock.stop();
  }

  #thisSecond(): Counts | undefined {
    return this.#seconds[Math.floor(this.#clock.now() / 1_000)];
  }
}

function clientOf(policy: SimulateOptions["policy"], client: SimulatedClient): Send {
  const made = typeof policy === "function" ? policy(client) : policy;
  if (typeof made === "function") return made;
  if (typeof made !== "object" || made === null) {
    throw new TypeError(`simulate: policy must return options of retry or a function, got ${show(made)}`);
  }
  const { clock, random, send } = client;
  return retry(send, { clock, random, ...made, attemptTimeout: made.attemptTimeout ?? 1_000 });
}

function blank(length: number): Counts[] {
  return Array.from({ length }, () => ({ calls: 0, attempts: 0, firstSuccesses: 0, successes: 0 }));
}

/** Does something at `phase` and every so many ms from then on, until `end`. */
function repeat(clock: Clock, due: { phase: number; every: number; end: number }, act: () => void): void {
  const { phase, every, end } = due;
  const schedule = (n: number) => {
    const at = phase + n * every;
    if (at >= end) return;
    clock.setTimer(() => {
      schedule(n + 1);
      act();
    }, at - clock.now());
  };
  schedule(0);
}
