import type { GiveUpState, Outcome, RetryState } from "../common/attempt.js";
import { theAttempt } from "../common/current.js";
import { StrategyError } from "../common/errors.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { chainOf, codeOf } from "../common/inspect.js";
import type { AbortSource } from "../common/interrupt.js";
import { isThenable } from "../common/thenable.js";
import { type HeaderSource, serverDelay, serverVerdict } from "../hints/server-delay.js";
import { exhausts } from "../loop/decide.js";
import { type CompiledPolicy, forCall } from "../loop/policy.js";
import { start } from "../loop/start.js";
import { classifyNetworkError } from "../transient/network.js";
import { linkBody } from "./bodies/body-signals.js";
import { type Discarding, discard, release, type Streamed } from "./bodies/discard.js";
import type { HttpClient } from "./client.js";
import type { HttpPolicy } from "./http-policy.js";
import type { Waiting } from "./paused-origins.js";
import type { HttpResponse } from "./request.js";

/** What a server answered, where that may be a failure. */
export interface Answer {
  readonly response: HttpResponse;
  /** As far as the status and the server's own word go. */
  readonly retryable: boolean;
  /** ms that the server asks to wait. */
  readonly hint: number | undefined;
}

// A strategy sees the state alone, and the arguments in it are the call's own list.
const exchanges = /* @__PURE__ */ new WeakMap<readonly unknown[], Exchange>();

/** Responses that were returned because no further attempt was to be made. */
const givenUpOn = /* @__PURE__ */ new WeakSet<object>();

/** The exchange that a state is of. */
export function exchangeOf({ args }: Pick<RetryState, "args">): Exchange | undefined {
  return exchanges.get(args);
}

/** One request on its way through its attempts: what the policy's strategies and hooks need to know of it. */
export abstract class Exchange {
  // By the error that each attempt failed with: one that was abandoned may answer after the next.
  readonly #answers = new WeakMap<object, Answer>();
  #bodyIsSpent = false;
  #waiting: Waiting | undefined;
  #discarding: Discarding | undefined;
  #discarded: HttpResponse | undefined;
  #unlinkBody = () => {};
  #sent = false;
  /** A server may have had the request, though one that it was redirected to could not be reached. */
  protected arrived = false;

  readonly core: CompiledPolicy;

  protected constructor(
    protected readonly client: HttpClient,
    readonly policy: HttpPolicy,
    readonly args: readonly unknown[],
    readonly method: string,
    readonly origin: string,
    /** It carries an idempotency key. */
    readonly keyed: boolean,
    /** Its body, if any, can be sent again. */
    readonly replayable: boolean,
    /** The call's own signals. */
    abortSources: readonly AbortSource[],
  ) {
    exchanges.set(args, this);
    const { core, budgetPerOrigin } = policy;
    const budget = budgetPerOrigin ? client.budgetOf(origin, core.clock) : core.budget;
    this.core = forCall(core, `${method} ${origin}`, abortSources, budget);
  }

  start(): Promise<unknown> {
    return start(this.client.target, this.core, this, this.args);
  }

  /** One attempt, inside the bulkhead. */
  abstract attempt(): Promise<unknown>;

  /** Sends what the attempt made of the request, inside the breaker: what `statuses` lists is a failure. */
  abstract send(...request: unknown[]): Promise<unknown>;

  /** Takes note of an answer that may be a failure; `listed`: it is one in the eyes of the policy's `statuses`. */
  protected note(response: HttpResponse, listed: boolean): Answer {
    const { status } = response;
    const headers = this.headersOf(response);
    const { options, maxRetryAfter, core } = this.policy;
    const hint = serverDelay(headers, Date.now(), status);
    if (options.pauseOrigin && hint !== undefined && hint <= maxRetryAfter && (status === 429 || status === 503)) {
      this.client.pauses.pause(this.origin, hint, core.clock.now());
    }
    return { response, retryable: this.#deservesRetry(status, headers, listed), hint };
  }

  /** The attempt fails with `error`, since the server answered so. */
  protected failedBy(answer: Answer, error: object): object {
    this.#answers.set(error, answer);
    // A client of ours answered it: what that gave up on is not tried again here.
    if (givenUpOn.has(answer.response)) rememberExhausted(error, nextOrdinal(), false);
    return error;
  }

  #deservesRetry(status: number, headers: HeaderSource, listed: boolean): boolean {
    // A key that was used with another payload stays so; one whose first call still runs will be free.
    if (this.keyed && status === 422) return false;
    return serverVerdict(headers) ?? (listed || (this.keyed && status === 409));
  }

  #answerOf(outcome: Outcome): Answer | undefined {
    return outcome.ok ? undefined : this.#answers.get(outcome.error as object);
  }

  /** Whether the answer that the attempt failed with deserves another attempt; `undefined` where it failed without. */
  answeredRetryably(outcome: Outcome): boolean | undefined {
    return this.#answerOf(outcome)?.retryable;
  }

  /** ms that the server asks to wait. */
  hintOf(outcome: Outcome): number | undefined {
    return this.#answerOf(outcome)?.hint;
  }

  /** The status that the attempt failed with. */
  statusOf(outcome: Outcome): number | undefined {
    return this.#answerOf(outcome)?.response.status;
  }

  /** Whether the request may be executed twice. */
  protected get isRepeatable(): boolean {
    return this.keyed || this.policy.methods(this.method);
  }

  /** Whether sending the request once more can do no harm, and is possible. */
  mayRepeat(outcome: Outcome): boolean {
    const { replayable } = this;
    if (!this.isRepeatable && (this.arrived || outcome.ok || !neverLeft(outcome.error))) return false;
    this.#bodyIsSpent = !replayable;
    return replayable;
  }

  /** The state with the reason that only HTTP knows. */
  explain(state: GiveUpState): GiveUpState {
    const spent = this.#bodyIsSpent && state.reason === "not-retryable";
    return spent ? { ...state, reason: "body-not-replayable" } : state;
  }

  /** Waits while the origin wants to be left alone. */
  holdBack(): Promise<void> | undefined {
    const { clock, random, unref } = this.policy.core;
    const waiting = this.client.pauses.wait(this.origin, clock, random, unref);
    this.#waiting = waiting;
    // Meanwhile another call may have been told to wait for longer.
    return waiting?.done.then(() => this.holdBack());
  }

  /** The call gives up. */
  givenUp({ reason, outcome }: GiveUpState): void {
    this.#waiting?.cancel();
    this.#discarding?.cancel();
    if (reason === "aborted") this.#release(this.responseOf(outcome));
  }

  /** The response that an attempt ended in, whether that was a failure or not. */
  responseOf(outcome: Outcome): HttpResponse | undefined {
    return outcome.ok ? outcome.value : this.#answerOf(outcome)?.response;
  }

  /** Answers in place of a failure: by the user's `fallback`, else by the last response. */
  fallBack(state: GiveUpState): unknown {
    const { fallback } = this.policy.options;
    const last = this.responseOf(state.outcome);
    if (!fallback) return this.#lastResort(state, last);
    const settle = (settled: unknown) => {
      if (!this.#carriesOn(settled, last)) this.#release(last);
      return settled;
    };
    const fail = (error: unknown): never => {
      // Who throws on what it was told of hands on the response in it.
      if (!chainOf(error).includes(state.error)) this.#release(last);
      throw error;
    };
    let answer: unknown;
    try {
      answer = fallback(state);
    } catch (error) {
      return fail(error);
    }
    return isThenable(answer) ? answer.then(settle, fail) : settle(answer);
  }

  /** Whether what a fallback answers has the body of the last response. */
  #carriesOn(answer: unknown, last: HttpResponse | undefined): boolean {
    const stream = last && this.streamOf(last);
    return !!stream && !!answer && this.streamOf(answer as HttpResponse) === stream;
  }

  #lastResort(state: GiveUpState, last: HttpResponse | undefined): unknown {
    if (last && last !== this.#discarded && this.mayReturn(state)) {
      // Whoever is outside may have the body anew.
      if (exhausts(state) && state.reason !== "body-not-replayable") givenUpOn.add(last);
      return last;
    }
    // Nobody looks for a response in there.
    if (state.reason === "deadline") this.#release(last);
    throw state.error;
  }

  /** Whether the response of a call that failed is returned rather than its error thrown. */
  protected abstract mayReturn(state: GiveUpState): boolean;

  /** What tells the server's hints. */
  protected abstract headersOf(response: HttpResponse): HeaderSource;

  /** What is read piece by piece. */
  protected abstract streamOf(response: HttpResponse): Streamed | null | undefined;

  /** Another attempt follows: nobody wants this one's response. */
  discard(outcome: Outcome): void {
    const response = this.responseOf(outcome);
    if (!response) return;
    this.#discarded = response;
    const length = this.headersOf(response).get("content-length");
    this.#discarding = discard(this.streamOf(response), length, this.core.clock);
    this.#discarding.done.then(this.#unlinkBody);
  }

  /** When the last response is out of the way, and its connection free. */
  protected get discarded(): Promise<void> | undefined {
    return this.#discarding?.done;
  }

  #release(response: HttpResponse | undefined): void {
    if (!response) return;
    release(this.streamOf(response));
    this.#unlinkBody();
  }

  /**
   * Sends the request, under a signal where anything can abort it: because nobody waits for this attempt any more, or,
   * while the body is read, because one of the call's signals says so.
   */
  protected async sendOnce<R extends HttpResponse>(send: (signal: AbortSignal | undefined) => Promise<R>): Promise<R> {
    const { cancellable, abortSources, onLateResult } = this.core;
    // A TryAgainError asks nobody: what is left of a stream is not the body.
    if (this.#sent && !this.replayable) {
      throw new TypeError(`${this.client.owner}: the body was sent before, and can be read only once`);
    }
    this.#sent = true;
    // Awaited, so that the caller stays in the stack of what it throws.
    if (!cancellable) return await send(undefined);
    const controller = new AbortController();
    const listener = { abandoned: (reason: unknown) => controller.abort(reason) };
    const attempt = theAttempt()!;
    attempt.onAbandoned(listener);
    try {
      // Abandoned before it came here: nobody waits for it.
      controller.signal.throwIfAborted();
      const response = await send(controller.signal);
      const stream = this.streamOf(response);
      if (stream && abortSources.length > 0) this.#unlinkBody = linkBody(controller, abortSources, stream);
      if (controller.signal.aborted && !onLateResult) this.#release(response);
      return response;
    } finally {
      attempt.offAbandoned(listener);
    }
  }

  /** Whether `statuses` lists a response, which is what `outcome` is about. */
  protected isListed(response: HttpResponse, outcome: Outcome): boolean {
    try {
      return this.policy.statuses(response.status, response);
    } catch (cause) {
      this.#release(response);
      throw new StrategyError("retryIf", outcome, cause);
    }
  }
}

/** Whether a request that failed with `error` was surely not executed. */
export function neverLeft(error: unknown): boolean {
  return codeOf(error) === "ERR_BULKHEAD_FULL" || classifyNetworkError(error) === "safe";
}
