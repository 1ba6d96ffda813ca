import type { RetryOptions } from "../common/attempt.js";
import { runWithRetry } from "../retry.js";
import { retryIfError, retryIfResult } from "../strategies/retry-if.js";
import { retryIfAny } from "../strategies/retry-if-any.js";
import { stopAfterDelay } from "../strategies/stop.js";
import { waitFullJitter } from "../strategies/wait.js";
import type { Dialect, Fate, Trace } from "./dialect.js";

/** How long it is asked, in ms. */
const PATIENCE = 30_000;

/** Asks what became of a transaction, until it is no longer in progress; for at most half a minute. */
export async function askForFate(
  dialect: Dialect,
  trace: Trace,
  signal: AbortSignal,
  { clock, random, unref }: RetryOptions,
): Promise<Exclude<Fate, "in progress">> {
  const passes = (error: unknown) => ["safe", "idempotent"].includes(dialect.classify(error));
  try {
    return (await runWithRetry(() => ask(dialect, trace), {
      ...{ name: "askForFate", signal, clock, random, unref },
      stop: stopAfterDelay(PATIENCE),
      wait: waitFullJitter({ base: 20, max: 1_000 }),
      retryIf: retryIfAny(
        retryIfError(passes),
        retryIfResult<Fate>((fate) => fate === "in progress"),
      ),
    })) as Exclude<Fate, "in progress">;
  } catch {
    return "unknown";
  }
}

async function ask(dialect: Dialect, trace: Trace): Promise<Fate> {
  const other = await dialect.connect();
  let failed = true;
  try {
    const fate = await trace(other);
    failed = false;
    return fate;
  } finally {
    other.release(failed);
  }
}
