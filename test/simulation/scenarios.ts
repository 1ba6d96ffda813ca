import type { Scenario } from "./fleet.js";
import type { Outage } from "./server.js";

export const outages: readonly Outage[] = ["blackhole", "refused", "slow"];

/** 20 clients of 10 calls a second, and a server that can do 1.2 times that. */
const steady: Scenario = {
  clients: 20,
  rate: 10,
  shards: 1,
  capacity: 1.2,
  queue: 2,
  failing: 0,
  before: 60,
  during: 30,
  after: 60,
  outage: undefined,
};

/** 30 s of an outage, after a minute in which all was well. */
export const outageOf = (outage: Outage): Scenario => ({ ...steady, outage });

/** One request in ten fails at random, through 30,000 calls. */
export const unlucky: Scenario = { ...steady, failing: 0.1 };

/** One of eight shards is slow for 30 s. There are eight times the clients, so that each shard has the same load. */
export const shardOutage: Scenario = { ...steady, clients: 160, shards: 8, outage: "slow" };

/** 10,000 clients of a call every ten seconds, after so many seconds of life. */
export const smallClients = (before: number, outage: Outage): Scenario => ({
  ...steady,
  clients: 10_000,
  rate: 0.1,
  before,
  outage,
});
