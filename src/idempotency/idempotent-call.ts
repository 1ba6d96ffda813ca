import type { AnyFn } from "../common/attempt.js";
import { report } from "../common/call-hook.js";
import { type Attempt, resume, theAttempt } from "../common/current.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { requireSync } from "../common/thenable.js";
import { check, type Rule } from "../common/validate.js";
import { runWithRetry } from "../retry.js";
import { stopAfterDelay } from "../strategies/stop.js";
import { waitFullJitter } from "../strategies/wait.js";
import { IdempotencyInFlightError, IdempotencyMismatchError, IdempotencyRecordError } from "./errors.js";
import { fingerprintOf } from "./fingerprint.js";
import type { IdempotencySettings } from "./options.js";
import { jsonOf, readRecord, recordOf } from "./record.js";
import type { Claim } from "./store.js";

// No server can keep the rest, or tell it apart.
const KEY: Rule = [
  "a string of Unicode characters, not empty and without \\0",
  "string",
  (key) => key !== "" && !key.includes("\0") && !/\p{Surrogate}/u.test(key),
];
const TEXT: Rule = ["a string", "string"];
const usualWait = /* @__PURE__ */ waitFullJitter({ base: 50, max: 1_000 });

/** One call under a key: it runs, gets another's result, or is refused. */
export class IdempotentCall {
  readonly #attempt: Attempt | undefined;

  constructor(
    private readonly settings: IdempotencySettings,
    private readonly fn: AnyFn,
    private readonly self: unknown,
    private readonly args: readonly unknown[],
  ) {
    this.#attempt = theAttempt();
  }

  async run(): Promise<unknown> {
    try {
      return await this.#run();
    } catch (error) {
      // Whoever tried this call again would meet the same, or do it twice.
      const isFinal = error instanceof IdempotencyMismatchError || error instanceof IdempotencyRecordError;
      if (isFinal) rememberExhausted(error, nextOrdinal(), true);
      throw error;
    }
  }

  async #run(): Promise<unknown> {
    const key = this.#key();
    const fingerprint = fingerprintOf(this.#text());
    for (let asked = 1; ; asked++) {
      const claim = await this.settings.store.claim(key, fingerprint, this.settings.lease);
      if (claim.state === "won") return this.#perform(key, claim);
      if (claim.fingerprint !== fingerprint) throw new IdempotencyMismatchError(key);
      if (claim.state === "done") return resultOf(key, claim.record);
      if (!this.settings.waits) throw new IdempotencyInFlightError(key, claim.retryAfter);
      await this.#sleep(claim, asked);
    }
  }

  #key(): string {
    const { owner, key } = this.settings;
    const answer = requireSync(`${owner}: key`, key.apply(this.self, this.args as unknown[]));
    check(owner, "what key returns", answer, KEY);
    return answer;
  }

  #text(): string {
    const { owner, fingerprint } = this.settings;
    if (!fingerprint) return jsonOf(owner, this.args);
    const answer = requireSync(`${owner}: fingerprint`, fingerprint.apply(this.self, this.args as unknown[]));
    check(owner, "what fingerprint returns", answer, TEXT);
    return answer;
  }

  /** Waits for a run in flight; not for longer than its lease, nor than somebody waits for this call. */
  #sleep({ retryAfter }: Claim & { state: "running" }, asked: number): Promise<void> {
    const ms = Math.min(retryAfter, Math.min(1_000, 50 * 2 ** asked) * (0.5 + Math.random() / 2));
    return new Promise((resolve, reject) => {
      const attempt = this.#attempt;
      const listener = {
        abandoned(reason: unknown) {
          cancel();
          reject(reason);
        },
      };
      const cancel = this.settings.clock.setTimer(() => {
        attempt?.offAbandoned(listener);
        resolve();
      }, ms);
      attempt?.onAbandoned(listener);
    });
  }

  async #perform(key: string, { token, inTransaction = false }: Claim & { state: "won" }): Promise<unknown> {
    const stopRenewing = inTransaction ? () => {} : this.#keepLease(key, token);
    let value: unknown;
    try {
      value = await this.#begin();
    } catch (error) {
      stopRenewing();
      await this.#release(key, token, inTransaction);
      throw error;
    }
    try {
      await this.#record(key, token, inTransaction, value);
    } finally {
      stopRenewing();
    }
    return value;
  }

  #begin(): unknown {
    const attempt = this.#attempt;
    const begin = () => this.fn.apply(this.self, this.args as unknown[]);
    if (!attempt) return begin();
    // The store took its time, and nobody waits any more: what has not begun need not happen.
    attempt.signal.throwIfAborted();
    return resume(attempt, begin);
  }

  async #release(key: string, token: string, inTransaction: boolean): Promise<void> {
    try {
      await this.settings.store.release(key, token);
    } catch (error) {
      // The rollback frees the key.
      if (!inTransaction) this.#report(error);
    }
  }

  async #record(key: string, token: string, inTransaction: boolean, value: unknown): Promise<void> {
    const { store, keep, lease, clock } = this.settings;
    const { text, refused } = recordOf(value);
    const record = () => store.record(key, token, text, keep);
    // Without its record the transaction cannot be committed either, and nothing has happened. Else it has: only a record keeps
    // it from happening again, and while the lease lasts there is time to make one.
    const retried = () =>
      runWithRetry(record, {
        name: "idempotency record",
        stop: stopAfterDelay(lease),
        wait: usualWait,
        clock,
      }).catch((cause) => {
        throw new IdempotencyRecordError(key, "the store failed", { value, cause });
      });
    const recorded = await (inTransaction ? record() : retried());
    if (!recorded)
      throw new IdempotencyRecordError(key, "its lease was over, and another call may have run", { value });
    if (refused !== undefined) throw new IdempotencyRecordError(key, refused, { value });
  }

  /** Renews the lease until told to stop. */
  #keepLease(key: string, token: string): () => void {
    const { store, lease, clock } = this.settings;
    let stopped = false;
    let cancel = () => {};
    const next = () => {
      cancel = clock.setTimer(renew, lease / 3, true);
    };
    const renew = async () => {
      let held = true;
      try {
        held = await store.renew(key, token, lease);
      } catch (error) {
        // There is time for another try, or two.
        this.#report(error);
      }
      if (held && !stopped) next();
    };
    next();
    return () => {
      stopped = true;
      cancel();
    };
  }

  #report(error: unknown): void {
    report(this.settings, this.settings.store, error);
  }
}

function resultOf(key: string, record: string): unknown {
  const { value, refused } = readRecord(record);
  if (refused !== undefined) throw new IdempotencyRecordError(key, refused);
  return value;
}
