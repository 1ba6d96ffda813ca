import type { AnyFn } from "../common/attempt.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { type Call, callOf, refuseToWaitForItself } from "./call.js";
import {
  IdempotencyInFlightError,
  IdempotencyMismatchError,
  IdempotencyRecordError,
  IdempotencyTimeoutError,
  IdempotencyUndecidedError,
} from "./errors.js";
import type { IdempotencySettings } from "./options.js";
import { perform } from "./perform.js";
import { replay } from "./replay.js";
import type { Held } from "./store.js";

// No method and no closure stands between a call and its function: the stack of an error keeps what its frames belong to, that would
// be the call, which keeps its attempt, and that the error before it, through all the attempts of a retry.

/** Runs the function, gets another run's result, or is refused. */
export async function callOnce(
  settings: IdempotencySettings,
  fn: AnyFn,
  self: unknown,
  args: readonly unknown[],
): Promise<unknown> {
  try {
    return await proceed(callOf(settings, fn, self, args));
  } catch (error) {
    // Another attempt would meet the same, or do it twice.
    if (isFinal(error)) rememberExhausted(error, nextOrdinal(), true);
    throw error;
  }
}

function isFinal(error: unknown): boolean {
  return (
    error instanceof IdempotencyMismatchError ||
    error instanceof IdempotencyRecordError ||
    error instanceof IdempotencyTimeoutError ||
    error instanceof IdempotencyUndecidedError
  );
}

async function proceed(call: Call): Promise<unknown> {
  const { settings, key, storeKey, fingerprint } = call;
  const { store, clock, waits, maxWait } = settings;
  if (waits) refuseToWaitForItself(call);
  const began = clock.now();
  for (let asked = 1; ; asked++) {
    const claim = await store.claim(storeKey, fingerprint, settings.lease);
    if (claim.state === "won") return perform(call, claim);
    if (claim.fingerprint !== fingerprint) throw new IdempotencyMismatchError(key);
    if (claim.state === "done") {
      const result = await replay(call, claim.record);
      if (result) return result.value;
      continue;
    }
    const left = waits ? began + maxWait - clock.now() : 0;
    if (!(left > 0)) throw inFlight(call, claim);
    await sleep(call, Math.min(left, claim.retryAfter, Math.min(1_000, 50 * 2 ** asked) * (0.5 + Math.random() / 2)));
  }
}

/** How long the function takes is the best guess at when to come back, but not after the other run's lease. */
function inFlight({ settings, key }: Call, { retryAfter }: Held & { state: "running" }): Error {
  return new IdempotencyInFlightError(key, Math.min(retryAfter, settings.times.median ?? retryAfter));
}

/** Waits, but for no longer than anybody waits for this call. */
function sleep({ attempt, settings }: Call, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener = {
      abandoned(reason: unknown) {
        cancel();
        reject(reason);
      },
    };
    const cancel = settings.clock.setTimer(() => {
      attempt?.offAbandoned(listener);
      resolve();
    }, ms);
    attempt?.onAbandoned(listener);
  });
}
