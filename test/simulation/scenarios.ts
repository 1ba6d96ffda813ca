import type { OutageKind, SimulateOptions } from "undaunted/simulation";

/** All but who plays it. */
export type Scene = Omit<SimulateOptions, "policy" | "seed">;

export const outages: readonly OutageKind[] = ["blackhole", "refused", "slow"];

/** 20 clients of 10 calls a second, and a server that can do 1.2 times that: 30 s of an outage, after a minute in which all was well. */
export const outageOf = (outage: OutageKind): Scene => ({ outage });

/** One request in ten fails at random, through 30,000 calls. */
export const unlucky: Scene = { server: { failing: 0.1 }, after: 90_000 };

/** One of eight shards is slow for 30 s. There are eight times the clients, so that each shard has the same load. */
export const shardOutage: Scene = { clients: 160, server: { shards: 8 }, outage: "slow" };

/** 10,000 clients of a call every ten seconds, after so many ms of life. */
export const smallClients = (before: number, outage: OutageKind): Scene => ({
  clients: 10_000,
  rate: 0.1,
  before,
  outage,
});
