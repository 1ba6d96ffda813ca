import type { RetryStats } from "../common/attempt.js";

/** The counters of one wrapped function. */
export class Stats implements RetryStats {
  calls = 0;
  attempts = 0;
  retries = 0;
  successes = 0;
  failures = 0;
  idle = 0;
}
