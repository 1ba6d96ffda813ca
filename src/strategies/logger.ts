import type { GiveUpState, Hooks, RetryState } from "../common/attempt.js";
import type { CallRecord } from "../common/call-record.js";
import { errorTypeOf } from "../common/error-type.js";
import { codeOf } from "../common/inspect.js";
import { BOOLEAN, check, FUNCTION, hasMethods, type Rule, readOptions } from "../common/validate.js";
import { oneLine, redact } from "./redact.js";
import { tracing } from "./trace.js";

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
  /** All of it in one sentence, in which nothing is secret; with `detail`, the lines of the record. */
  readonly message: string;
  /** With `detail`, all of the call. */
  readonly record?: CallRecord | undefined;
}

/** The options of `retryLogger`. */
export interface RetryLoggerOptions {
  /** Makes the logger's arguments from the entry; by default its `message` alone. Not together with `fields`. */
  format?: ((entry: RetryLogEntry) => unknown[]) | undefined;
  /**
   * Hands the logger an object of fields beside the message, before it or after it: `"first"` for pino and bunyan, `"last"` for winston and
   * `console`. The fields are `policy`, `attempt`, `delay`, `reason`, `errorType`, `errorCode` and `errorMessage`, as far as there are such.
   */
  fields?: "first" | "last" | undefined;
  /**
   * One record of each call that was retried or given up, when it is over, in the place of a line for each attempt.
   * @default false
   */
  detail?: boolean | undefined;
  /**
   * Takes secrets out of a text before it is logged. Control characters are escaped and texts cut short in any case.
   * @default redact
   */
  redact?: ((text: string) => string) | undefined;
}

const RULES: Record<string, Rule> = {
  format: FUNCTION,
  fields: ['"first" or "last"', "string", (where) => where === "first" || where === "last"],
  detail: BOOLEAN,
  redact: FUNCTION,
};

/**
 * Hooks that log each failed attempt at `warn` and the giving up at `error`. Arguments are never logged: they may hold
 * secrets. What stands in a message is redacted, cut short, and on one line. For pino `{ fields: "first" }`, for winston and `console`
 * `{ fields: "last" }`.
 *
 * @example
 * const lines: string[] = [];
 * const logger = { warn: (line: string) => lines.push(line), error: (line: string) => lines.push(line) };
 * await retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(5), name: "load", ...retryLogger(logger) })();
 * lines; // => ["load: attempt 1 failed with Error: busy; the next follows in 5 ms"]
 */
export function retryLogger(
  logger: Logger,
  options: RetryLoggerOptions = {},
): Pick<Hooks, "onRetry" | "onGiveUp"> & Partial<Pick<Hooks, "onSuccess">> {
  check("retryLogger", "logger", logger, [
    "an object with warn and error",
    typeof logger === "function" ? "function" : "object",
    hasMethods("warn", "error"),
  ]);
  const given = readOptions("retryLogger", options, RULES);
  const { fields, detail = false, redact: hide = redact } = given;
  if (given.format && fields) throw new TypeError("retryLogger: format and fields exclude each other, got both");
  const format = given.format ?? ((entry) => argumentsOf(entry, fields, hide));
  const log = (level: "warn" | "error", entry: RetryLogEntry) => logger[level](...[format(entry)].flat());
  return detail ? inDetail(log, hide) : lineByLine(log, hide);
}

type Log = (level: "warn" | "error", entry: RetryLogEntry) => unknown;

function lineByLine(log: Log, hide: (text: string) => string): Pick<Hooks, "onRetry" | "onGiveUp"> {
  return {
    onRetry(state) {
      const { name, attempt, outcome, delay } = state;
      const failure = `${oneLine(name, hide)}: attempt ${attempt} ${howItFailed(state, hide)}`;
      const message = `${failure}; the next follows in ${Math.round(delay)} ms`;
      const error = outcome.ok ? undefined : outcome.error;
      return log("warn", { name, attempt, error, delay, reason: undefined, message });
    },
    onGiveUp(state: GiveUpState) {
      const { name, reason, attempt } = state;
      const unwanted = endedUnwanted(state);
      const why = unwanted ? `the last ${howItFailed(state, hide)}` : oneLine(state.error, hide);
      const made = `${attempt} attempt${attempt === 1 ? "" : "s"}`;
      const message = `${oneLine(name, hide)}: gave up (${reason}) after ${made}: ${why}`;
      return log("error", {
        name,
        attempt,
        error: unwanted ? undefined : state.error,
        delay: undefined,
        reason,
        message,
      });
    },
  };
}

function inDetail(log: Log, hide: (text: string) => string): Pick<Hooks, "onRetry" | "onGiveUp" | "onSuccess"> {
  return tracing(hide, (record, state) => {
    if (record.reason === undefined && record.made === 1) return undefined;
    const { name, attempt } = state;
    const { reason } = record;
    const error =
      reason === undefined || endedUnwanted(state as GiveUpState) ? undefined : (state as GiveUpState).error;
    const message = String(record);
    return log(reason === undefined ? "warn" : "error", {
      name,
      attempt,
      error,
      delay: undefined,
      reason,
      message,
      record,
    });
  });
}

// The last outcome says nothing about an abort or a deadline.
function endedUnwanted({ outcome, reason }: GiveUpState): boolean {
  return outcome.ok && reason !== "aborted" && reason !== "deadline";
}

function howItFailed({ outcome }: RetryState, hide: (text: string) => string): string {
  return outcome.ok ? "returned a value that was not wanted" : `failed with ${oneLine(outcome.error, hide)}`;
}

function argumentsOf(
  entry: RetryLogEntry,
  fields: "first" | "last" | undefined,
  hide: (text: string) => string,
): unknown[] {
  if (!fields) return [entry.message];
  const { name, attempt, error, delay, reason, record } = entry;
  const all = {
    policy: oneLine(name, hide),
    attempt,
    delay,
    reason,
    ...(error !== undefined && {
      errorType: errorTypeOf(error),
      errorCode: codeOf(error),
      errorMessage: oneLine(error, hide),
    }),
    record,
  };
  // Some loggers write down what is undefined.
  const there = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return fields === "first" ? [there, entry.message] : [entry.message, there];
}
