import { report } from "../common/call-hook.js";
import { runWithRetry } from "../retry.js";
import { stopAfterDelay } from "../strategies/stop.js";
import { waitFullJitter } from "../strategies/wait.js";
import { Lease } from "./lease.js";
import type { IdempotencySettings } from "./options.js";
import type { Claim } from "./store.js";

/** A key that a run holds: by a lease that it renews, or in the caller's own transaction. Each is used for one thing, once. */
export interface ClaimedKey {
  readonly token: string;
  /** Where it is part of a transaction, whatever fails has not happened: its rollback frees the key. */
  readonly inTransaction: boolean;
  /** Puts `text` on record; resolves with whether the key was still held, rejects where the store fails. */
  record(text: string): Promise<boolean>;
  /** Frees the key. Never rejects. */
  release(): Promise<void>;
  /** Lets the key be, and renews it no more. */
  stop(): void;
}

export function claimedKey(settings: IdempotencySettings, key: string, claim: Claim & { state: "won" }): ClaimedKey {
  return claim.inTransaction ? inTransaction(settings, key, claim.token) : byLease(settings, key, claim.token);
}

/** The row's lock holds the key, so there is nothing to renew; a store that fails here has failed the transaction. */
function inTransaction({ store, keep }: IdempotencySettings, key: string, token: string): ClaimedKey {
  return {
    token,
    inTransaction: true,
    async record(text) {
      return store.record(key, token, text, keep);
    },
    async release() {
      try {
        await store.release(key, token);
      } catch {
        // The rollback frees the key.
      }
    },
    stop() {},
  };
}

const usualWait = /* @__PURE__ */ waitFullJitter({ base: 50, max: 1_000 });

/** Asks the store, and again where that fails, for as long as a lease. */
export function patiently<T>({ lease, clock }: IdempotencySettings, ask: () => Promise<T>): Promise<T> {
  return runWithRetry(ask, { name: "idempotency record", stop: stopAfterDelay(lease), wait: usualWait, clock });
}

function byLease(settings: IdempotencySettings, key: string, token: string): ClaimedKey {
  const { store, keep } = settings;
  const held = new Lease(settings, key, token);
  return {
    token,
    inTransaction: false,
    // The effect has happened: only a record keeps it from happening again, and while the lease lasts there is time to make one.
    async record(text) {
      try {
        return await patiently(settings, () => store.record(key, token, text, keep));
      } finally {
        held.stop();
      }
    },
    async release() {
      held.stop();
      try {
        await store.release(key, token);
      } catch (error) {
        report(settings, store, error);
      }
    },
    stop: () => held.stop(),
  };
}
