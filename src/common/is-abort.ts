import { codeOf, nameOf, readField } from "./inspect.js";

/** Whether a name or a code is that of an abort. Every failure is asked: a switch is some ten times as quick as a list. */
function isAbortWord(word: unknown): boolean {
  switch (word) {
    case "AbortError": // DOM: an aborted AbortController
    case "CanceledError": // axios
    case "ABORT_ERR": // nodejs.org/api/errors.html
    case "UND_ERR_ABORT": // undici, lib/core/errors.js
    case "UND_ERR_ABORTED": // undici, docs/api/Errors.md
    case "ERR_CANCELED": // axios: a cancel token or a signal
      return true;
    default:
      return false;
  }
}

const TIMEOUTS: readonly unknown[] = ["TimeoutError", "AttemptTimeoutError"];

/**
 * Whether an error says that the caller cancelled what failed: its result is not wanted any more. By name or code (the DOM's,
 * Node's, undici's, axios'), and by the outermost error only. Not an abort is one behind which there is a timeout, as Node,
 * axios and got throw under `AbortSignal.timeout()`, nor a driver's lost connection of that name, which has the command with
 * it.
 *
 * @example
 * isAbortError(new DOMException("the user left", "AbortError")); // => true
 * isAbortError(new Error("busy")); // => false
 */
export function isAbortError(error: unknown): boolean {
  return isCalledAbort(error) && !isTimeoutBehind(error) && !readField(error, "command");
}

/** Whether an error is an abort by its name or code, whatever is behind it. */
export function isCalledAbort(error: unknown): boolean {
  return isAbortWord(nameOf(error)) || isAbortWord(codeOf(error));
}

/** Whether a timeout made a client abort: by the cause, past other aborts, or by the signal that it was given. */
function isTimeoutBehind(error: unknown): boolean {
  const cause = readField(error, "cause");
  // axios keeps what it was given in `config`, got in `options`.
  const reasons = ["config", "options"].map((key) => readField(readField(readField(error, key), "signal"), "reason"));
  return (
    [cause, ...reasons].some((each) => TIMEOUTS.includes(readField(each, "name"))) ||
    (cause !== error && isCalledAbort(cause) && isTimeoutBehind(cause))
  );
}
