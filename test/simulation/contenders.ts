import {
  awsRetryQuota,
  type Clock,
  circuitBreaker,
  finagleRetryBudget,
  grpcRetryThrottle,
  type RetryBudget,
  type RetryOptions,
  retry,
  retryBudget,
  retryBudgets,
  stopAfterAttempt,
  waitFullJitter,
} from "undaunted";
import type { Call } from "./fleet.js";

/** Sends one request for a call. */
export type Send = (call: Call) => Promise<void>;

/** What a client has at hand. */
export interface World {
  readonly clock: Clock;
  readonly random: () => number;
}

/** How a client calls. `client` is called once for each: what it makes is that client's own. */
export interface Contender {
  readonly name: string;
  client(send: Send, world: World): Send;
}

/** ms after which a client no longer waits for an answer. */
export const CLIENT_TIMEOUT = 1_000;

const fourAttempts = { stop: stopAfterAttempt(4), wait: waitFullJitter({ base: 500, max: 20_000 }) };

/** A contender that retries as `policy` says, with a budget of each client's own. */
function retrying(name: string, policy: RetryOptions, budgetOf?: (world: World) => RetryBudget): Contender {
  const client: Contender["client"] = (send, world) =>
    retry(send, { ...policy, ...world, attemptTimeout: CLIENT_TIMEOUT, budget: budgetOf?.(world) });
  return { name, client };
}

/** The same with a breaker of each client's own inside. A call that it refuses makes no attempt. */
function breaking(name: string, policy: RetryOptions): Contender {
  const { client } = retrying(name, policy);
  return { name, client: (send, world) => client(circuitBreaker({ clock: world.clock }).wrap(send), world) };
}

export const noRetries = retrying("no retries", { stop: stopAfterAttempt(1) });
export const noBudget = retrying("4 attempts", fourAttempts);
export const withBreaker = breaking("circuitBreaker()", fourAttempts);
export const withBudget = retrying("retryBudget()", fourAttempts, ({ clock }) => retryBudget({ clock }));

/** In the order of the table. Each budget with its own defaults; gRPC has none, so with the numbers of its proposal. */
export const contenders: readonly Contender[] = [
  noRetries,
  noBudget,
  withBudget,
  retrying("awsRetryQuota()", fourAttempts, () => awsRetryQuota()),
  retrying("grpcRetryThrottle()", fourAttempts, () => grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 })),
  retrying("finagleRetryBudget()", fourAttempts, ({ clock }) => finagleRetryBudget({ clock })),
  withBreaker,
];

export const budgetPerShard = retrying("retryBudgets({ key })", fourAttempts, ({ clock }) =>
  retryBudgets({ clock, key: (call: Call) => call.shard }),
);
