import { classifyNetworkError } from "../transient/network.js";

/**
 * Tells whether an error is one of the network that another attempt may get past: of Node, undici, browsers' fetch or
 * axios, wrapped or not. The request may still have been executed, so this alone is no reason to repeat a POST. `false`
 * for a bad certificate, an abort by the caller and everything unknown. Throws nothing.
 *
 * @example
 * isNetworkError(new TypeError("Failed to fetch")); // => true
 * isNetworkError(new TypeError("x is not a function")); // => false
 */
export function isNetworkError(error: unknown): boolean {
  const retryability = classifyNetworkError(error);
  return retryability === "safe" || retryability === "idempotent";
}
