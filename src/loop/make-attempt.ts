import { type Attempt, enter, leave } from "../common/current.js";
import { promiseOf } from "../common/thenable.js";
import type { Call } from "./state.js";

/**
 * Calls the function of `call` in `attempt`. Whatever throws rejects the promise that it returns. In one piece: each function
 * between a caller and what it calls takes one of the ten lines of a stack.
 */
export function makeAttempt({ target, self, args }: Call, attempt: Attempt): Promise<unknown> {
  const outer = enter(attempt);
  try {
    return promiseOf(target.fn.apply(self, args as unknown[]));
  } catch (error) {
    return Promise.reject(error);
  } finally {
    leave(outer);
  }
}
