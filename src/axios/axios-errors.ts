import type { AxiosResponse } from "axios";
import { kindOf } from "../common/brand.js";
import { readField } from "../common/inspect.js";
import { attemptsOf, noteAttempts } from "../http/attempts-of.js";
import type { Config } from "./axios-transport.js";
import { AxiosError, axios } from "./peer.js";

const TIMEOUTS: readonly unknown[] = ["ERR_ATTEMPT_TIMEOUT", "ERR_TOTAL_TIMEOUT"];
const OURS: readonly unknown[] = [
  ...TIMEOUTS,
  "ERR_CIRCUIT_OPEN",
  "ERR_BULKHEAD_FULL",
  "ERR_RETRY_STRATEGY",
  "ERR_RETRY_EXHAUSTED",
];

/**
 * What a call ends in, as axios' users know it: an `AxiosError` around each of our own errors. Whatever else was thrown
 * stays as it is: axios itself makes a `CanceledError` of an abort.
 */
export function asAxiosError(error: unknown, config: Config): unknown {
  if (axios.isAxiosError(error) || axios.isCancel(error)) return error;
  const code = kindOf(error);
  if (!OURS.includes(code)) return error;
  const isTimeout = TIMEOUTS.includes(code);
  const ofTimeout = config.transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
  const message = isTimeout ? `timeout of ${readField(error, "timeout")}ms exceeded` : (error as Error).message;
  return causedBy(
    error,
    new AxiosError(message, isTimeout ? ofTimeout : `${code}`, config, undefined, responseIn(error)),
  );
}

/** What our own errors carry, so that a policy knows them whatever their `code`. */
const BRAND: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.error");

/** Around `cause`, and to policies outside the same: what failed fast in here is not tried again there. */
function causedBy<E extends Error>(cause: unknown, error: E): E {
  noteAttempts(error, attemptsOf(cause) ?? 0);
  const brand = Reflect.get(cause as object, BRAND);
  if (brand !== undefined) Object.defineProperty(error, BRAND, { value: brand });
  return Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
}

/** The response that nobody wanted, where the call ended in one. */
function responseIn(error: unknown): AxiosResponse | undefined {
  return readField(readField(error, "outcome"), "value") as AxiosResponse | undefined;
}
