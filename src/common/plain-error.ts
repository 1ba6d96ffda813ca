import { isExhausted, nextOrdinal, rememberExhausted } from "./exhausted.js";
import { codeOf, describe, readField } from "./inspect.js";

/** An error as plain JSON: what is left of it after a journal, a queue or a database. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly status?: number;
  readonly cause?: PlainError;
  /** A retry has already given up on it: nobody else is to try again. */
  readonly exhausted?: true;
}

// What is kept is bounded, whatever is thrown.
const DEPTH = 5;
const NAME = 200;
const MESSAGE = 2_000;

/**
 * Makes plain JSON of anything that was thrown: its name, message, `code`, `status` and causes, to a depth of 5 and some 2 kB each.
 * Stacks and other properties stay behind: they may hold secrets. Never throws.
 *
 * @example
 * toPlainError(Object.assign(new RangeError("too big"), { code: 413 })); // => { name: "RangeError", message: "too big", code: 413 }
 */
export function toPlainError(error: unknown): PlainError {
  return plain(error, DEPTH);
}

function plain(error: unknown, depth: number): PlainError {
  const [name, message, code, status] = [
    readField(error, "name"),
    readField(error, "message"),
    codeOf(error),
    statusOf(error),
  ];
  const cause = readField(error, "cause");
  return {
    name: typeof name === "string" && name !== "" ? cut(name, NAME) : "Error",
    message: cut(typeof message === "string" ? message : describe(error), MESSAGE),
    ...(isCode(code) && { code: typeof code === "string" ? cut(code, NAME) : code }),
    ...(status !== undefined && { status }),
    ...(cause !== undefined && cause !== null && depth > 1 && { cause: plain(cause, depth - 1) }),
    ...(isExhausted(error, 0, 0) && { exhausted: true as const }),
  };
}

/**
 * Makes an `Error` of what `toPlainError` made: not of its class, but with its name, message, `code`, `status` and causes. A retry does
 * not repeat one that was exhausted. Whatever else it is given becomes an error as well; it never throws.
 *
 * @example
 * const error = reviveError(JSON.parse('{ "name": "BusyError", "message": "busy" }'));
 * retryIfErrorName("BusyError")(error); // => true
 */
export function reviveError(plainError: unknown): Error {
  return revive(plainError, DEPTH);
}

function revive(from: unknown, depth: number): Error {
  const { name, message, code, status } = plain(from, 1);
  const cause = readField(from, "cause");
  const hasCause = typeof cause === "object" && cause !== null && depth > 1;
  const error = new Error(message, hasCause ? { cause: revive(cause, depth - 1) } : undefined);
  Object.defineProperty(error, "name", { value: name, writable: true, configurable: true });
  Object.assign(error, { ...(code !== undefined && { code }), ...(status !== undefined && { status }) });
  if (readField(from, "exhausted") === true) rememberExhausted(error, nextOrdinal(), false);
  return error;
}

function statusOf(error: unknown): number | undefined {
  const response = readField(error, "response");
  const found = [readField(error, "status"), readField(error, "statusCode"), readField(response, "status")];
  return found.find((each): each is number => typeof each === "number" && Number.isFinite(each));
}

function isCode(code: unknown): code is string | number {
  return typeof code === "string" || (typeof code === "number" && Number.isFinite(code));
}

/** The beginning of a text, which ends with a whole character. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, "");
}
