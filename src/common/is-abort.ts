import { describe, readField } from "./inspect.js";

/** Names and codes. */
const ABORTS: readonly unknown[] = [
  "AbortError", // DOM: an aborted AbortController
  "CanceledError", // axios
  "ABORT_ERR", // nodejs.org/api/errors.html
  "UND_ERR_ABORT", // undici, lib/core/errors.js
  "UND_ERR_ABORTED", // undici, docs/api/Errors.md
  "ERR_CANCELED", // axios: a cancel token or a signal
];

/**
 * Whether an error says that the caller cancelled what failed: its result is not wanted any more. By name or code (the DOM's,
 * Node's, undici's, axios'), and by the outermost error only. Not an abort is one whose cause is a timeout, as Node
 * throws under `AbortSignal.timeout()`, nor a driver's lost connection of that name, which has the command with it.
 *
 * @example
 * isAbortError(new DOMException("the user left", "AbortError")); // => true
 * isAbortError(new Error("busy")); // => false
 */
export function isAbortError(error: unknown): boolean {
  const named = ABORTS.includes(readField(error, "name")) || ABORTS.includes(readField(error, "code"));
  return (
    named &&
    !/^(Attempt)?TimeoutError$/.test(describe(readField(readField(error, "cause"), "name"))) &&
    !readField(error, "command")
  );
}
