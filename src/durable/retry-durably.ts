import type { AttemptContext } from "../common/attempt.js";
import { checkCallable } from "../common/callable.js";
import { reviveError } from "../common/plain-error.js";
import { check, FUNCTION, hasMethods, type Rule } from "../common/validate.js";
import type { CompiledPolicy } from "../loop/policy.js";
import { ownName } from "../loop/target.js";
import type { NextAttempt } from "./decision.js";
import { compileDurable, type DurableOptions, durableKind } from "./options.js";
import { attemptAndDecide } from "./run-attempt.js";

/** What a durable engine lends to a retry. */
export interface DurableEngine {
  /** Runs `fn` and records what it returns, plain JSON, under `name`; in a replay it returns what was recorded. */
  step<R>(name: string, fn: () => Promise<R>): PromiseLike<R>;
  /** Sleeps for `ms`, also where the process that began to sleep does not live to see the end. */
  sleep(ms: number): PromiseLike<unknown>;
  /**
   * Epoch ms.
   * @default Date.now
   */
  now?(): number;
}

const ENGINE: Rule = ["an object with step and sleep", "object", /* @__PURE__ */ hasMethods("step", "sleep")];
const KIND = /* @__PURE__ */ durableKind("retryDurably");

/**
 * Runs `fn` and retries it in a workflow of a durable engine. Each attempt and the decision on it are one recorded step, in which the
 * error is still the one that was thrown, and between them the engine sleeps: a process that takes over repeats no recorded attempt, sleeps
 * what is left, and finds deadline, delays and counts as they were. Rejects with the last attempt's error as `reviveError` makes it, in a
 * replay as in the first run, and at once with a `TypeError` or `RangeError` for bad input.
 *
 * The effect of an attempt that was killed before it was recorded happens again: make it idempotent.
 *
 * @example
 * const engine = { step: async (_name, fn) => fn(), sleep: async () => {} } satisfies DurableEngine;
 * await retryDurably(engine, flaky([new Error("busy"), "done"])); // => "done"
 */
export async function retryDurably<T>(
  engine: DurableEngine,
  fn: (context: AttemptContext) => T,
  options?: DurableOptions<NoInfer<Awaited<T>>>,
): Promise<Awaited<T>> {
  check("retryDurably", "engine", engine, ENGINE);
  if (engine.now !== undefined) check("retryDurably", "engine.now", engine.now, FUNCTION);
  checkCallable("retryDurably", fn);
  return attempts(engine, fn, compileDurable(KIND, options));
}

async function attempts<T>(
  engine: DurableEngine,
  fn: (context: AttemptContext) => T,
  policy: CompiledPolicy,
): Promise<Awaited<T>> {
  const name = policy.name ?? ownName(fn);
  const now = () => (engine.now ? engine.now() : Date.now());
  // A process that is killed in the first attempt leaves no memo, and the deadline runs all the same.
  const startedAt = await engine.step(`${name}: begin`, async () => now());
  let last: Extract<NextAttempt, { do: "retry" }> | undefined;
  for (let attempt = 1; ; attempt++) {
    const { memo, error } = last ?? {};
    const known = { memo, attempt, startedAt, previousError: error && reviveError(error), now };
    let isReplayed = true;
    const next: NextAttempt<Awaited<T>> = await engine.step(`${name}: attempt ${attempt}`, async () => {
      isReplayed = false;
      return (await attemptAndDecide(fn, policy, known)).next;
    });
    if (next.do === "accept") return next.value;
    if (next.do === "giveUp") throw reviveError(next.error);
    last = next;
    // A process may have died between the decision and the sleep.
    const left = isReplayed ? Math.min(next.delay, Math.max(0, next.at - now())) : next.delay;
    if (next.delay > 0) await engine.sleep(left);
  }
}
