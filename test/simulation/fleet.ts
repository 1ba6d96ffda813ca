import type { Clock } from "undaunted";
import { seededRandom } from "undaunted/testing";
import { simulationClock } from "./clock.js";
import type { Contender, Send, World } from "./contenders.js";
import { type Outage, Server } from "./server.js";

/** A fleet of clients, what they call, and what happens to it. */
export interface Scenario {
  readonly clients: number;
  /** Calls a second of each client. Open loop: a call starts when it is due, whether or not the last one came back. */
  readonly rate: number;
  /** Servers with a share of the calls each; the first of them has the outage. */
  readonly shards: number;
  /** The capacity of the servers, as a multiple of the normal load. */
  readonly capacity: number;
  /** Seconds of work that may wait at a server. */
  readonly queue: number;
  /** The share of requests that fail at random. */
  readonly failing: number;
  /** Seconds before, in and after the outage. */
  readonly before: number;
  readonly during: number;
  readonly after: number;
  readonly outage: Outage | undefined;
}

/** One call to a server. */
export interface Call {
  readonly shard: number;
  /** Attempts made so far. */
  attempts: number;
}

/** What the first server's clients saw in one second. */
export interface Second {
  /** Calls that were due. */
  calls: number;
  /** Attempts that were sent, for whichever call. */
  attempts: number;
  /** Of the calls due in this second, those whose first attempt succeeded. */
  firstSuccesses: number;
  /** Of the calls due in this second, those that succeeded in the end. */
  successes: number;
}

/** All there is to know of one play: plain data. */
export interface Run {
  readonly contender: string;
  readonly scenario: Scenario;
  readonly seed: number;
  readonly seconds: readonly Second[];
}

// Seconds for which clients go on calling past the end of a scenario, uncounted, so that its last calls are retried on a
// server as busy as before.
const AFTERMATH = 10;

/** Plays a scenario with the clients of one contender. The same seed plays the same run. */
export async function simulate(scenario: Scenario, contender: Contender, seed: number): Promise<Run> {
  const { clients, rate, before, during, after } = scenario;
  const clock = simulationClock();
  // Two sources, so that every contender gets the very same calls.
  const draw = seededRandom(seed);
  const world = { clock, random: seededRandom(seed + 1) };
  const servers = serversOf(scenario, world);
  const seconds = blank(before + during + after + AFTERMATH);
  const thisSecond = () => seconds[Math.floor(clock.now() / 1_000)];

  const send: Send = (call) => {
    const second = thisSecond();
    call.attempts++;
    if (second && call.shard === 0) second.attempts++;
    return servers[call.shard]!.request();
  };
  for (let n = 0; n < clients; n++) {
    const client = contender.client(send, world);
    const due = { phase: draw() * (1_000 / rate), every: 1_000 / rate, end: seconds.length * 1_000 };
    repeat(clock, due, () => start(client, Math.floor(draw() * scenario.shards), thisSecond()!));
  }
  const breakDown = (outage: Outage | undefined) => {
    servers[0]!.outage = outage;
  };
  clock.setTimer(() => breakDown(scenario.outage), before * 1_000);
  clock.setTimer(() => breakDown(undefined), (before + during) * 1_000);
  await clock.run();
  return { contender: contender.name, scenario, seed, seconds: seconds.slice(0, before + during + after) };
}

function serversOf(scenario: Scenario, world: World): Server[] {
  const { clients, rate, shards } = scenario;
  const capacity = (scenario.capacity * clients * rate) / shards;
  return Array.from({ length: shards }, () => new Server({ ...scenario, ...world, capacity }));
}

function blank(length: number): Second[] {
  return Array.from({ length }, () => ({ calls: 0, attempts: 0, firstSuccesses: 0, successes: 0 }));
}

/** Makes one call, and notes in the second in which it is due what becomes of it. */
function start(client: Send, shard: number, second: Second): void {
  const call: Call = { shard, attempts: 0 };
  const share = shard === 0 ? 1 : 0;
  second.calls += share;
  const succeeded = () => {
    second.successes += share;
    if (call.attempts === 1) second.firstSuccesses += share;
  };
  client(call).then(succeeded, () => {});
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
