import type { GiveUpState } from "../common/attempt.js";
import type { Clock } from "../common/clock.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { chainOf } from "../common/inspect.js";
import { isThenable } from "../common/thenable.js";
import { exhausts } from "../loop/decide.js";
import { answerOf } from "./answers.js";
import { isBounded, isCopyable, readCopy } from "./bodies/copy.js";
import { MOST_BYTES, MOST_MS } from "./bodies/discard.js";
import type { HeldResponses } from "./bodies/held.js";
import type { HttpPolicy } from "./policy.js";
import { type HttpResponse, headersOf } from "./request.js";
import type { Transport } from "./transport.js";

/** Responses that were returned because no further attempt was to be made. */
const givenUpOn = /* @__PURE__ */ new WeakSet<object>();

export function wasGivenUpOn(response: object): boolean {
  return givenUpOn.has(response);
}

interface Ending<R extends HttpResponse> {
  readonly policy: HttpPolicy;
  readonly transport: Transport<R>;
  readonly held: HeldResponses<R>;
}

/** What a call that gives up ends in: the user's `fallback`, else the last response, else the error. */
export function endOf<R extends HttpResponse>(call: Ending<R>, state: GiveUpState): unknown {
  const { policy, held } = call;
  const { fallback } = policy.options;
  const { outcome } = state;
  const last = (outcome.ok ? outcome.value : answerOf(outcome.error)?.response) as R | undefined;
  if (!fallback) return lastResort(call, state, last);
  const settle = (settled: unknown) => {
    if (!held.isBodyIn(settled, last)) held.release(last);
    return settled;
  };
  const fail = (error: unknown): never => {
    // Who throws on what it was shown hands on the response in it.
    if (!chainOf(error).includes(state.error)) held.release(last);
    throw error;
  };
  let returned: unknown;
  try {
    returned = fallback(state);
  } catch (error) {
    return fail(error);
  }
  return isThenable(returned) ? returned.then(settle, fail) : settle(returned);
}

function lastResort<R extends HttpResponse>(
  { policy, transport, held }: Ending<R>,
  state: GiveUpState,
  last: R | undefined,
): unknown {
  if (last && held.has(last) && transport.returns(state)) {
    // An outer call may make the body anew.
    if (exhausts(state) && state.reason !== "body-not-replayable") {
      givenUpOn.add(last);
      // A server that passes it on says so.
      rememberExhausted(last, nextOrdinal(), false);
    }
    return held.handOn(last);
  }
  if (last && state.reason !== "deadline" && held.has(last)) return rejected(held, policy.core.clock, state, last);
  // Nobody looks for a response in there.
  held.release(last);
  throw state.error;
}

/** Ends in the error, whose response is read where it is short, and let go of where it is not: few read it at all. */
function rejected<R extends HttpResponse>(
  held: HeldResponses<R>,
  clock: Clock,
  { error }: GiveUpState,
  last: R,
): Promise<never> {
  const fail = (): never => {
    throw error;
  };
  if (!isCopyable(last)) return fail();
  const stopTimer = clock.setTimer(() => held.release(last), MOST_MS, true);
  const whole = isBounded(headersOf(last), MOST_BYTES) ? readCopy(last, MOST_BYTES) : Promise.resolve(false);
  return whole
    .catch(() => false)
    .then((isWhole) => {
      stopTimer();
      if (!isWhole) held.release(last);
      return fail();
    });
}
