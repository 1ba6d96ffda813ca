import {
  awsRetryQuota,
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
import type { SimulatedCall, SimulatedClient, SimulateOptions } from "undaunted/simulation";

/** A policy under its name in the tables. */
export interface Contender {
  readonly name: string;
  readonly policy: SimulateOptions["policy"];
}

/** ms after which a client no longer waits for an answer. */
const CLIENT_TIMEOUT = 1_000;

export const fourAttempts: RetryOptions = {
  stop: stopAfterAttempt(4),
  wait: waitFullJitter({ base: 500, max: 20_000 }),
};

/** Four attempts with a budget of each client's own. */
const budgeted = (name: string, budgetOf: (client: SimulatedClient) => RetryBudget): Contender => ({
  name,
  policy: (client) => ({ ...fourAttempts, budget: budgetOf(client) }),
});

export const noRetries: Contender = { name: "no retries", policy: { stop: stopAfterAttempt(1) } };
export const noBudget: Contender = { name: "4 attempts", policy: fourAttempts };
export const withBudget = budgeted("retryBudget()", ({ clock }) => retryBudget({ clock }));

/** Four attempts with a breaker of each client's own inside. A call that it refuses makes no attempt. */
export const withBreaker: Contender = {
  name: "circuitBreaker()",
  policy: ({ send, clock, random }) =>
    retry(circuitBreaker({ clock }).wrap(send), { ...fourAttempts, clock, random, attemptTimeout: CLIENT_TIMEOUT }),
};

/** In the order of the table. Each budget with its own defaults; gRPC has none, so with the numbers of its proposal. */
export const contenders: readonly Contender[] = [
  noRetries,
  noBudget,
  withBudget,
  budgeted("awsRetryQuota()", () => awsRetryQuota()),
  budgeted("grpcRetryThrottle()", () => grpcRetryThrottle({ maxTokens: 10, tokenRatio: 0.1 })),
  budgeted("finagleRetryBudget()", ({ clock }) => finagleRetryBudget({ clock })),
  withBreaker,
];

export const budgetPerShard = budgeted("retryBudgets({ key })", ({ clock }) =>
  retryBudgets({ clock, key: (call: SimulatedCall) => call.shard }),
);
