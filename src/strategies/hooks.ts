import type { GiveUpState, Hooks, RetryState } from "../common/attempt.js";
import { describe } from "../common/inspect.js";
import { isThenable } from "../common/thenable.js";
import { check, FUNCTION, hasMethods, readOptions } from "../common/validate.js";

const HOOKS = { onAttempt: FUNCTION, onRetry: FUNCTION, onSuccess: FUNCTION, onGiveUp: FUNCTION };

/**
 * Merges hook objects into one: all are called, in order, and one that throws does not keep the rest from being
 * called. Several errors reach `onHookError` as one `AggregateError`.
 *
 * @example
 * const seen: string[] = [];
 * const hooks = mergeHooks({ onSuccess: () => seen.push("a") }, { onSuccess: () => seen.push("b") });
 * await runWithRetry(() => 1, hooks);
 * seen; // => ["a", "b"]
 */
export function mergeHooks<T = any>(...parts: readonly Hooks<T>[]): Hooks<T> {
  const read = parts.map((part) => readOptions("mergeHooks", part, HOOKS));
  const merged: Record<string, (arg: never) => unknown> = {};
  for (const name of Object.keys(HOOKS) as (keyof Hooks)[]) {
    const hooks = read.flatMap((part) => (part[name] as (arg: never) => unknown) ?? []);
    if (hooks.length > 0) merged[name] = (arg) => callAll(hooks, arg);
  }
  return merged;
}

function callAll(hooks: readonly ((arg: never) => unknown)[], arg: never): unknown {
  const errors: unknown[] = [];
  const pending: unknown[] = [];
  for (const hook of hooks) {
    try {
      const result = hook(arg);
      if (isThenable(result)) pending.push(Promise.resolve(result).catch((error: unknown) => errors.push(error)));
    } catch (error) {
      errors.push(error);
    }
  }
  if (pending.length > 0) return Promise.all(pending).then(() => throwAll(errors));
  return throwAll(errors);
}

function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, "several hooks failed");
}

/** Anything that logs: `console`, a pino or a winston logger. */
export interface Logger {
  warn(...args: any[]): unknown;
  error(...args: any[]): unknown;
}

/** What `retryLogger` logs. */
export interface RetryLogEntry {
  readonly name: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  /** What it threw, or what the call ends in; `undefined` where it returned a value that the policy rejected. */
  readonly error: unknown;
  /** ms until the next attempt; `undefined` on giving up. */
  readonly delay: number | undefined;
  /** Why the call was given up; `undefined` before a retry. */
  readonly reason: string | undefined;
  /** All of it in one sentence. */
  readonly message: string;
}

/**
 * Hooks that log each failed attempt at `warn` and the giving up at `error`. Arguments are never logged: they may hold
 * secrets. `format` makes the logger's arguments from the entry; the default is its `message` alone. For pino:
 * `({ message, error, ...fields }) => [{ ...fields, err: error }, message]`.
 *
 * @example
 * const lines: string[] = [];
 * const logger = { warn: (line: string) => lines.push(line), error: (line: string) => lines.push(line) };
 * await retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(5), name: "load", ...retryLogger(logger) })();
 * lines; // => ["load: attempt 1 failed with Error: busy; the next follows in 5 ms"]
 */
export function retryLogger(
  logger: Logger,
  options: { format?: ((entry: RetryLogEntry) => unknown[]) | undefined } = {},
): Pick<Hooks, "onRetry" | "onGiveUp"> {
  check("retryLogger", "logger", logger, [
    "an object with warn and error",
    typeof logger === "function" ? "function" : "object",
    hasMethods("warn", "error"),
  ]);
  const { format = (entry: RetryLogEntry) => [entry.message] } = readOptions("retryLogger", options, {
    format: FUNCTION,
  });
  const argumentsOf = (entry: RetryLogEntry) => [format(entry)].flat();
  return {
    onRetry: (state) => {
      const failure = `${state.name}: attempt ${state.attempt} ${howItFailed(state)}`;
      const message = `${failure}; the next follows in ${Math.round(state.delay)} ms`;
      const { name, attempt, outcome, delay } = state;
      const error = outcome.ok ? undefined : outcome.error;
      return logger.warn(...argumentsOf({ name, attempt, error, delay, reason: undefined, message }));
    },
    onGiveUp: (state: GiveUpState) => {
      const { name, reason, attempt, error, outcome } = state;
      // The last outcome says nothing about an abort or a deadline.
      const unwanted = outcome.ok && reason !== "aborted" && reason !== "deadline";
      const why = unwanted ? `the last ${howItFailed(state)}` : describe(error);
      const message = `${name}: gave up (${reason}) after ${attempt} attempt${attempt === 1 ? "" : "s"}: ${why}`;
      return logger.error(
        ...format({ name, attempt, error: unwanted ? undefined : error, delay: undefined, reason, message }),
      );
    },
  };
}

function howItFailed({ outcome }: RetryState): string {
  return outcome.ok ? "returned a value that was not wanted" : `failed with ${describe(outcome.error)}`;
}
