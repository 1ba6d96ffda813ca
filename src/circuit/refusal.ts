import { CircuitOpenError } from "../common/errors.js";
import type { CircuitState } from "./options.js";

const SAYS = {
  closed: "the circuit is closed",
  open: "the circuit is open",
  "half-open": "half-open: all probe calls are in flight",
  isolated: "the circuit is isolated by hand",
};

/** What a call that is not let through rejects with. */
export function refusalOf(
  name: string,
  state: CircuitState,
  retryAfter: number | undefined,
  cause: unknown,
): CircuitOpenError {
  return new CircuitOpenError(`${name}: ${SAYS[state]}`, { retryAfter, cause });
}
