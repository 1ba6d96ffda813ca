import type { Outcome } from "../common/attempt.js";
import { type Attempt, resume, theAttempt } from "../common/current.js";
import { StrategyError, TotalTimeoutError } from "../common/errors.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import type { AbortSource } from "../common/interrupt.js";
import type { Pause } from "../common/pause.js";
import { isThenable } from "../common/thenable.js";
import { type CompiledPolicy, forCall } from "../loop/policy.js";
import { start } from "../loop/start.js";
import { noteAnswer } from "./answers.js";
import { noteAttempts } from "./attempts-of.js";
import type { HeadersGiven } from "./authorize.js";
import type { Deadline } from "./bodies/body-signals.js";
import { isBounded, isCopyable, readCopy } from "./bodies/copy.js";
import { HeldResponses } from "./bodies/held.js";
import { strategiesOf } from "./call-strategies.js";
import type { HttpClient } from "./client.js";
import { deadlineIn } from "./deadline-header.js";
import { deservesRetry } from "./failure.js";
import { askedHint, serverHint } from "./hint.js";
import { wasGivenUpOn } from "./last-resort.js";
import { speaksForAll } from "./paused-origins.js";
import type { HttpPolicy } from "./policy.js";
import { type HttpResponse, headersOf } from "./request.js";
import { setHeaders } from "./set-headers.js";
import { blamesTheServer } from "./status.js";
import type { Sent, Transport } from "./transport.js";

/** A call over HTTP on its way through its attempts: what each client's have in common. */
export class HttpCall<R extends HttpResponse = HttpResponse> {
  readonly core: CompiledPolicy;
  readonly held: HeldResponses<R>;
  /** What may hold it back. */
  readonly pause: Pause | undefined;
  readonly #startedAt: number;
  #sent = false;
  /** When the headers of the attempt were asked for that authorise it. */
  #asked = 0;

  constructor(
    readonly client: HttpClient,
    readonly policy: HttpPolicy,
    readonly transport: Transport<R>,
    readonly args: readonly unknown[],
    /** It carries an idempotency key. */
    readonly keyed: boolean,
    /** The call's own signals. */
    abortSources: readonly AbortSource[],
  ) {
    const { core, budgetPerOrigin } = policy;
    this.held = new HeldResponses(transport.streamOf, core.clock);
    this.#startedAt = core.totalTimeout < Infinity ? core.clock.now() : 0;
    const budget = budgetPerOrigin ? client.budgetOf(transport.origin, core.clock) : core.budget;
    this.pause = client.pauseOf(policy.options.pauseOrigin, transport, core.clock);
    this.core = forCall(core, strategiesOf(this), core.name ?? transport.name, budget, abortSources);
  }

  start(): Promise<R> {
    return start(this.client.target, this.core, this, this.args) as Promise<R>;
  }

  /** One attempt, inside the bulkhead. Awaited throughout, so that the caller stays in the stack of what is thrown. */
  async attempt(): Promise<R> {
    const attempt = theAttempt()!;
    const made = this.#make(attempt);
    const sent = isThenable(made) ? await made : made;
    let response = await this.#guarded(attempt, sent);
    if (response.status === 401 && this.policy.options.authorize && this.transport.replayable) {
      response = await this.#guarded(attempt, await this.#renewed(attempt, response));
    }
    noteAttempts(response, attempt.attempt);
    const isListed = !this.#isJudgedInside(response) && this.#isListed(response);
    return await this.#judged(response, isListed, attempt.attempt);
  }

  /** Sends what the attempt made of the request, in the breaker, unless nobody waits for the attempt any more. */
  #guarded(attempt: Attempt, sent: Sent): Promise<R> {
    failIfAbandoned(attempt);
    const { policy } = this;
    return resume(attempt, () =>
      policy.options.breaker ? policy.send.apply(this, sent as unknown[]) : this.send(...sent),
    ) as Promise<R>;
  }

  /** What an attempt sends. */
  #make(attempt: Attempt, authorization?: HeadersGiven): Sent | Promise<Sent> {
    const { prepare, authorize, deadlineHeader } = this.policy.options;
    if (!prepare && !authorize && !deadlineHeader) return this.transport.plain(attempt.attempt);
    return this.#prepared(attempt, authorization);
  }

  async #prepared(attempt: Attempt, authorization: HeadersGiven | undefined): Promise<Sent> {
    const { transport, client } = this;
    const { prepare, authorize, deadlineHeader } = this.policy.options;
    const draft = await transport.draft(attempt);
    if (authorize) {
      if (!authorization) this.#asked = client.renewals.next();
      const headers = authorization ?? (await authorize({ request: transport.request, renew: false }));
      setHeaders(client.owner, draft.headers, headers);
    }
    if (deadlineHeader && !draft.headers.has(deadlineHeader)) {
      const left = deadlineIn(deadlineHeader, Math.min(this.#left(), attempt.limit));
      if (left !== undefined) draft.headers.set(deadlineHeader, left);
    }
    await prepare?.(draft);
    return transport.finish(draft);
  }

  /** What is sent once more after a 401, with what a renewal gave. It is linked to no attempt: others wait for it too. */
  async #renewed(attempt: Attempt, refused: R): Promise<Sent> {
    failIfAbandoned(attempt);
    const { transport, client } = this;
    const { authorize, authorizeKey } = this.policy.options;
    this.held.drain(refused);
    const { request, origin } = transport;
    const key = authorizeKey ? authorizeKey(request) : origin;
    const headers = await client.renewals.after(key, this.#asked, () => authorize!({ request, renew: true }));
    return await this.#make(attempt, headers);
  }

  /** ms that are left of the total timeout. */
  #left(): number {
    const { totalTimeout, clock } = this.core;
    return totalTimeout < Infinity ? totalTimeout - (clock.now() - this.#startedAt) : Infinity;
  }

  /**
   * Sends a request, inside the breaker: what `statuses` lists is a failure. Under a signal where anything can abort it:
   * because nobody waits for this attempt any more, or, while the body is read, because one of the call's signals says so.
   */
  async send(...sent: unknown[]): Promise<R> {
    const { transport } = this;
    // A TryAgainError asks nobody: what is left of a stream is not the body.
    if (this.#sent && !transport.replayable) {
      throw new TypeError(`${this.client.owner}: the body was sent before, and can be read only once`);
    }
    this.#sent = true;
    const attempt = theAttempt()!;
    if (!this.core.cancellable) return await this.#received(await transport.send(sent, undefined), attempt, undefined);
    const controller = new AbortController();
    let response: R | undefined;
    const listener = {
      abandoned: (reason: unknown) => {
        // With `onLateResult` it is somebody's. Before the abort: what has been aborted is not cancelled any more.
        if (!this.core.onLateResult) this.held.release(response);
        controller.abort(reason);
      },
    };
    attempt.onAbandoned(listener);
    try {
      response = await transport.send(sent, controller.signal);
      if (controller.signal.aborted && !this.core.onLateResult) this.held.release(response);
      return await this.#received(response, attempt, controller);
    } finally {
      attempt.offAbandoned(listener);
    }
  }

  /** A response has come; with `throughBody` also its body. */
  async #received(response: R, attempt: Attempt, controller: AbortController | undefined): Promise<R> {
    const { transport } = this;
    const { abortSources } = this.core;
    if (controller && !controller.signal.aborted) this.held.link(response, controller, abortSources);
    if (this.#isJudgedInside(response) && this.#isListed(response)) {
      return await this.#judged(response, true, attempt.attempt);
    }
    const broken = transport.brokenBy?.(response);
    if (broken !== undefined) throw broken;
    const { throughBytes } = this.policy;
    if (throughBytes === 0 || !isCopyable(response)) return response;
    let isWhole = false;
    try {
      isWhole = isBounded(headersOf(response), throughBytes) && (await readCopy(response, throughBytes));
    } catch (error) {
      this.held.release(response);
      throw error;
    }
    if (!isWhole && controller) this.held.link(response, controller, abortSources, this.#deadline(attempt));
    return response;
  }

  /** What still ends a body that flows on when the call is over. */
  #deadline({ attempt }: Attempt): Deadline | undefined {
    const left = this.#left();
    const { totalTimeout } = this.core;
    return left < Infinity ? { left, error: () => new TotalTimeoutError(totalTimeout, attempt) } : undefined;
  }

  /** Whether a failure of this status is the server's, which the breaker hears of. A 401 may be renewed first. */
  #isJudgedInside({ status }: R): boolean {
    return blamesTheServer(status) && !(status === 401 && this.policy.options.authorize);
  }

  /** Returns a response that is none of a failure, and throws what the attempt fails with otherwise. */
  async #judged(response: R, isListed: boolean, attempt: number): Promise<R> {
    const { status } = response;
    const { transport, keyed, policy, held } = this;
    held.received(response);
    const { hint: ask } = policy.options;
    const refused = transport.refuses(response);
    if (!isListed && !refused && !(status >= 400)) return response;
    const hint = (ask && (await askedHint(ask, response))) ?? serverHint(response);
    if (hint !== undefined && hint <= policy.maxRetryAfter && speaksForAll(status)) this.pause?.pause(hint);
    const retryable = deservesRetry(status, headersOf(response), isListed, keyed);
    if (!retryable && !refused && !isListed) return response;
    noteAttempts(response, attempt);
    const error = noteAnswer(transport.failure(response, hint), { response, retryable, hint });
    // A client of ours returned it: what that gave up on is not tried again here.
    if (wasGivenUpOn(response)) rememberExhausted(error, nextOrdinal(), false);
    throw error;
  }

  /** Whether `statuses` lists a response. */
  #isListed(response: R): boolean {
    // An adapter of the user's need not say what the server said.
    if (typeof response.status !== "number") return false;
    try {
      return this.policy.statuses(response.status, response);
    } catch (cause) {
      const outcome: Outcome = { ok: true, value: response };
      this.held.release(response);
      throw new StrategyError("retryIf", outcome, cause);
    }
  }
}

/** Throws where nobody waits for an attempt any more: what outlasts it must send nothing, and is no failure of a server's. */
function failIfAbandoned({ ending }: Attempt): void {
  if (ending) throw ending.reason;
}

/** One attempt of a call, in the bulkhead, as the loop calls it. */
export function attemptOf(this: HttpCall, ...args: unknown[]): Promise<unknown> {
  return this.policy.options.bulkhead ? this.policy.attempt.apply(this, args) : this.attempt();
}

/** What the guards of a policy are put around. */
export const GUARDED = {
  attempt(this: HttpCall): Promise<unknown> {
    return this.attempt();
  },
  send(this: HttpCall, ...sent: unknown[]): Promise<unknown> {
    return this.send(...sent);
  },
};
