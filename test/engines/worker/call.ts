import pg from "pg";
import {
  type AttemptContext,
  type GiveUpState,
  type RetryState,
  retry,
  retryIfErrorCode,
  stopAfterAttempt,
  stopAny,
  waitFixed,
  waitFromError,
  waitFullJitter,
  waitNone,
} from "undaunted";
import { type DurableOptions, stopAfterErrors } from "undaunted/durable";
import { idempotent, postgresIdempotencyStore } from "undaunted/idempotency";
import { Diary } from "./diary.js";

/** What one attempt of a call does. */
export type Act =
  | { readonly does: "fails"; readonly code?: string; readonly status?: number; readonly retryAfter?: number }
  /** Fails as a retry inside it does, after two attempts of its own. */
  | { readonly does: "fails inside" }
  /** Takes no end, until its signal aborts. */
  | { readonly does: "hangs" }
  | { readonly does: "charges" }
  /** Charges, and does not come back the first time that it does. */
  | { readonly does: "charges and hangs" }
  /** Does not come back the first time, and charges the next. */
  | { readonly does: "hangs and charges" }
  /** Does not come back the first time, and fails the next. */
  | { readonly does: "hangs and fails" };

/** A call, as it travels through an engine. */
export interface Call {
  readonly id: string;
  readonly policy: keyof typeof POLICIES;
  /** What its attempts do; the last one repeats. */
  readonly acts: readonly Act[];
}

const POLICIES = {
  fixed: { wait: waitFixed(2_500), stop: stopAfterAttempt(5) },
  quick: { wait: waitFixed(50), stop: stopAfterAttempt(3) },
  jitter: { wait: waitFullJitter({ base: 200, max: 800 }), stop: stopAfterAttempt(8) },
  hinted: { wait: waitFromError((error) => (error as { retryAfter?: number }).retryAfter, waitFixed(10)) },
  picky: { wait: waitFixed(10), retryIf: retryIfErrorCode("EBUSY") },
  perError: { wait: waitFixed(10), stop: stopAny(stopAfterAttempt(10), stopAfterErrors(2, "ELIMIT", 429)) },
  deadline: { wait: waitFixed(1_500), totalTimeout: 6_000, stop: () => false },
  timeout: { wait: waitFixed(10), attemptTimeout: 1_500, stop: stopAfterAttempt(3) },
  sleepy: { wait: waitFixed(4_000) },
  patient: { wait: waitFixed(8_000) },
} satisfies Record<string, DurableOptions>;

/** What a call's attempts and decisions do in this process. */
export class Calls {
  readonly diary: Diary;
  readonly #pool: pg.Pool;
  readonly #store: ReturnType<typeof postgresIdempotencyStore>;

  constructor({ diary, postgres }: { readonly diary: string; readonly postgres: pg.PoolConfig }) {
    this.diary = new Diary(diary);
    this.#pool = new pg.Pool(postgres);
    this.#pool.on("error", () => {});
    this.#store = postgresIdempotencyStore(this.#pool);
  }

  /** The policy of a call, which writes down what it decides. */
  policyOf(call: Call): DurableOptions {
    const { diary } = this;
    const noted = (what: "retry" | "accepted" | "given up") => (state: RetryState | GiveUpState) => {
      const { attempt, delay, outcome } = state;
      const reason = "reason" in state ? state.reason : undefined;
      const error = "reason" in state ? state.error : outcome.ok ? undefined : outcome.error;
      const message = (error as Error | undefined)?.message;
      const code = (error as { code?: unknown } | undefined)?.code;
      diary.write({
        call: call.id,
        what,
        attempt,
        delay,
        ...(reason && { reason }),
        code,
        ...(message !== undefined && { message }),
      });
    };
    const hooks = { onRetry: noted("retry"), onSuccess: noted("accepted"), onGiveUp: noted("given up") };
    return { ...POLICIES[call.policy], ...hooks, name: call.id };
  }

  /** One attempt of a call. */
  async attempt({ id, acts }: Call, { attempt, signal }: AttemptContext): Promise<string> {
    this.diary.write({ call: id, what: "attempt", attempt });
    const act = acts[Math.min(attempt, acts.length) - 1]!;
    const isFirstTime = !this.diary.read(id).some((entry) => entry.what === "hangs" && entry.attempt === attempt);
    switch (act.does) {
      case "fails":
        throw Object.assign(new Error(`attempt ${attempt} failed`), act);
      case "hangs and fails":
        if (isFirstTime) await this.#hang(id, attempt, signal);
        throw Object.assign(new Error(`attempt ${attempt} failed`), { code: "EBUSY" });
      case "fails inside":
        return this.#failInside(id, attempt);
      case "hangs":
        return this.#hang(id, attempt, signal);
      case "hangs and charges":
        if (isFirstTime) await this.#hang(id, attempt, signal);
        return this.#charge(id, attempt);
      case "charges and hangs":
        await this.#charge(id, attempt);
        if (isFirstTime) await this.#hang(id, attempt, signal);
        return "charged";
      case "charges":
        return this.#charge(id, attempt);
    }
  }

  async #failInside(call: string, attempt: number): Promise<never> {
    const inner = retry(
      () => {
        this.diary.write({ call, what: "inner attempt", attempt });
        return Promise.reject(Object.assign(new Error("down"), { code: "EDOWN" }));
      },
      { stop: stopAfterAttempt(2), wait: waitNone },
    );
    return inner();
  }

  #hang(call: string, attempt: number, signal: AbortSignal): Promise<never> {
    this.diary.write({ call, what: "hangs", attempt });
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        this.diary.write({ call, what: "aborted", attempt });
        reject(signal.reason);
      });
    });
  }

  /** Charges once for each call, whatever is killed: the effect and the record of it are one transaction. */
  async #charge(call: string, attempt: number): Promise<string> {
    const tx = await this.#pool.connect();
    try {
      await tx.query("begin");
      const once = idempotent(
        async () => {
          await tx.query("insert into charges (call) values ($1)", [call]);
          this.diary.write({ call, what: "charges", attempt });
        },
        { name: "charge", key: () => call, store: this.#store.within(tx) },
      );
      await once();
      await tx.query("commit");
    } catch (error) {
      await tx.query("rollback").catch(() => {});
      throw error;
    } finally {
      tx.release();
    }
    return "charged";
  }
}
