import { type Attempt, enter, leave } from "../common/current.js";
import { promiseOfCall } from "../common/thenable.js";
import type { Call } from "./state.js";

/** Calls the function of `call` in `attempt`. Whatever throws rejects the promise that it returns. */
export function makeAttempt({ target, self, args }: Call, attempt: Attempt): Promise<unknown> {
  const outer = enter(attempt);
  const promise = promiseOfCall(target.fn, self, args);
  leave(outer);
  return promise;
}
