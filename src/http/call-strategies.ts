import type { AttemptStart, GiveUpState, Outcome, RetryState } from "../common/attempt.js";
import { note } from "../common/observed.js";
import type { Pause, PauseLeft } from "../common/pause.js";
import { isThenable } from "../common/thenable.js";
import { askPredicate } from "../common/traits.js";
import { type OfCall, usualWait } from "../loop/policy.js";
import { fullJitter } from "../strategies/wait.js";
import { answerOf } from "./answers.js";
import { noteAttempts } from "./attempts-of.js";
import type { HeldResponses } from "./bodies/held.js";
import { isSlowDown, neverLeft } from "./failure.js";
import { askedHint, serverHint } from "./hint.js";
import { endOf } from "./last-resort.js";
import { type Waiting, waitOut } from "./paused-origins.js";
import type { HttpPolicy } from "./policy.js";
import type { HttpResponse } from "./request.js";
import type { Transport } from "./transport.js";

/** What strategies and hooks need to know of a call over HTTP. */
export interface CallFacts<R extends HttpResponse> {
  readonly policy: HttpPolicy;
  readonly transport: Transport<R>;
  readonly keyed: boolean;
  readonly held: HeldResponses<R>;
  /** What may hold it back, if anything. */
  readonly pause: Pause | undefined;
}

// AWS' SDKs and Azure's wait from a second where they were throttled.
const throttledWait = /* @__PURE__ */ fullJitter({ base: 1_000, max: 20_000 });

/** The response that an attempt ended in, whether that was a failure or not. */
export function responseOf<R extends HttpResponse>(outcome: Outcome): R | undefined {
  return outcome.ok ? outcome.value : (answerOf(outcome.error)?.response as R | undefined);
}

/** What the loop asks of one call. Closures, since the loop knows nothing of HTTP and hands them a state only. */
export function strategiesOf<R extends HttpResponse>(call: CallFacts<R>): OfCall {
  const { policy, transport, held, pause } = call;
  const { options, core } = policy;
  let bodyIsSpent = false;
  let hadFreeRetry = false;
  let waiting: Waiting | undefined;
  let isOver = false;
  /** What `hint` says of a response that is no failure, and polled for. */
  let polled: { readonly response: R; readonly hint: number | undefined } | undefined;

  const hintOf = ({ outcome }: RetryState): number | undefined => {
    if (!outcome.ok) return answerOf(outcome.error)?.hint;
    return polled?.response === outcome.value ? polled?.hint : serverHint(outcome.value);
  };

  /** Whether sending the request once more can do no harm. */
  const isRepeatable = (outcome: Outcome): boolean => {
    if (call.keyed || policy.methods(transport.request.method)) return true;
    const response = responseOf<R>(outcome);
    const error = outcome.ok ? undefined : outcome.error;
    if (transport.mayHaveArrived(response, error)) return false;
    return response ? policy.unexecuted(response.status, response) : neverLeft(error);
  };

  const mayRepeat = (outcome: Outcome): boolean => {
    if (!isRepeatable(outcome)) return false;
    bodyIsSpent = !transport.replayable;
    return !bodyIsSpent;
  };

  /** The same, and with it what a response asks to wait that another attempt follows though it is no failure. */
  const willRepeat = (state: RetryState): boolean | Promise<boolean> => {
    const { hint: ask } = options;
    const { outcome } = state;
    if (!mayRepeat(outcome)) {
      if (bodyIsSpent) note(state, { reason: "body-not-replayable" });
      return false;
    }
    if (!ask || !outcome.ok) return true;
    const response: R = outcome.value;
    return askedHint(ask, response).then((hint) => {
      polled = { response, hint: hint ?? serverHint(response) };
      return true;
    });
  };

  /** The state with the reason that only HTTP knows. */
  const explained = (state: GiveUpState): GiveUpState =>
    bodyIsSpent && state.reason === "not-retryable" ? { ...state, reason: "body-not-replayable" } : state;

  /** Waits while the server wants to be left alone. */
  const holdBack = (): Promise<void> | undefined => {
    const found = pause?.left();
    return isThenable(found) ? found.then(hold) : hold(found);
  };

  const hold = (found: PauseLeft | undefined): Promise<void> | undefined => {
    // Nobody would cancel it.
    if (isOver) return undefined;
    waiting = waitOut(found, policy.maxRetryAfter, core);
    // Meanwhile another call may have been told to wait for longer.
    return waiting?.done.then(holdBack);
  };

  return {
    retryIf(error, state) {
      const wanted = askPredicate(core.retryIf!, error, state);
      // A function in place of a verdict is a mistake, which the loop reports.
      const allowed = (yes: boolean) => (yes && typeof yes !== "function" ? willRepeat(state) : yes);
      return isThenable(wanted) ? Promise.resolve(wanted).then(allowed) : allowed(wanted);
    },
    wait(state) {
      const { wait } = options;
      const hint = hintOf(state);
      if (hint === undefined) return (wait ?? (isSlowDown(state.outcome) ? throttledWait : usualWait))(state);
      // Never earlier than asked, and never all at once: Envoy's rule for rate limits.
      const own = (wait ?? usualWait)(state);
      const asked = hint * (1 + state.random() / 2);
      if (asked > own) note(state, { source: "hint", hint });
      return Math.max(own, asked);
    },
    stop: (state) => core.stop(state) || (hintOf(state) ?? 0) > policy.maxRetryAfter,
    isFree(state) {
      const { outcome } = state;
      const hint = hintOf(state);
      if (hadFreeRetry || outcome.ok || answerOf(outcome.error)?.response.status !== 429) return false;
      hadFreeRetry = hint !== undefined && hint <= policy.maxRetryAfter;
      return hadFreeRetry;
    },
    onAttempt(start: AttemptStart) {
      const paused = holdBack();
      const tell = () => core.onAttempt?.(start);
      const { drained } = held;
      if (!drained) return paused ? paused.then(tell) : tell();
      // No attempt begins, and none of its time is spent, before the last response is out of the way.
      const told = Promise.resolve(paused).then(tell);
      return Promise.allSettled([told, drained]).then(() => told);
    },
    onRetry(state) {
      const response = responseOf<R>(state.outcome);
      const discard = () => response && held.discard(response);
      return core.onRetry ? afterwards(() => core.onRetry!(state), discard) : discard();
    },
    onGiveUp(state) {
      const final = explained(state);
      isOver = true;
      waiting?.cancel();
      held.cancelDiscarding();
      noteAttempts(state.error, state.attempt);
      if (state.reason === "aborted") held.release(responseOf(state.outcome));
      return core.onGiveUp?.(final);
    },
    fallback: (state) => endOf(call, explained(state)),
  };
}

/** Calls `first`, and `next` when it is done, however it ended. */
function afterwards(first: () => unknown, next: () => void): unknown {
  let pending: unknown;
  try {
    pending = first();
  } finally {
    if (!isThenable(pending)) next();
  }
  return isThenable(pending) ? Promise.resolve(pending).finally(next) : pending;
}
