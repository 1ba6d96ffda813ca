import { readField } from "../common/inspect.js";

/** Where clients that retry by themselves keep how often they did, and what that is for a first attempt. */
const COUNTS: readonly (readonly [path: readonly string[], first: number])[] = [
  [["retryCount"], 0], // kafkajs
  [["$metadata", "attempts"], 1], // the AWS SDK
  [["meta", "meta", "attempts"], 0], // Elasticsearch, OpenSearch
  [["config", "retryConfig", "currentRetryAttempt"], 0], // gaxios: Google's clients
  [["config", "axios-retry", "retryCount"], 0], // axios-retry
  [["attemptNumber"], 1], // p-retry
];

/**
 * Whether a client has tried before by itself: it hands out what its last attempt met, and an earlier one may have arrived
 * though this one did not.
 */
export function wasRetriedBefore(error: unknown): boolean {
  return COUNTS.some(([path, first]) => (path.reduce(readField, error) as number) > first);
}
