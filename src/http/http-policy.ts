import type { RetryOptions, RetryState } from "../common/attempt.js";
import { isThenable, requireSync } from "../common/thenable.js";
import { askPredicate, isMarked, mark, traitsOf, traitsOfPredicate } from "../common/traits.js";
import { check, OPTIONS, type Rule, readOptions } from "../common/validate.js";
import { ASYNC, type CompiledPolicy, compile, usualStop, usualWait } from "../loop/policy.js";
import { fullJitter } from "../strategies/wait.js";
import { type Exchange, exchangeOf } from "./exchange.js";
import { isSlowDown, retryIfHttpFailure } from "./failure.js";
import { type KeyRule, keyRuleOf } from "./idempotency-key.js";
import type { HttpOptions } from "./options.js";
import type { HttpResponse } from "./request.js";
import { isIdempotentMethod, isRetryableStatus } from "./status.js";

/** What the policies of different clients differ in. */
export interface HttpKind {
  /** Whom an error about an option names. */
  readonly owner: string;
  readonly table: Record<string, Rule>;
}

/** Options of an HTTP client, checked, and as its exchanges go by them. */
export interface HttpPolicy {
  /** As they were given. */
  readonly options: HttpOptions;
  /** What the loop goes by. */
  readonly core: CompiledPolicy;
  readonly methods: (method: string) => boolean;
  readonly statuses: (status: number, response: HttpResponse) => boolean;
  readonly maxRetryAfter: number;
  readonly key: KeyRule;
  /** Retries are paid from a budget for each origin. */
  readonly budgetPerOrigin: boolean;
  /** One attempt of an exchange, which is `this`, in the bulkhead. */
  readonly attempt: (...args: any[]) => Promise<unknown>;
  /** What the attempt sends, in the breaker. */
  readonly send: (...args: any[]) => Promise<unknown>;
}

/** The policy that `options` say. */
export function httpPolicyOf({ owner, table }: HttpKind, options: HttpOptions): HttpPolicy {
  const given = readOptions(owner, options, table);
  const { methods = isIdempotentMethod, statuses = isRetryableStatus, maxRetryAfter = 60_000 } = given;
  const { idempotencyKey, breaker, bulkhead, budget } = given;
  return {
    options: given,
    core: compile(ASYNC, coreOptionsOf(given, maxRetryAfter)),
    methods: typeof methods === "function" ? (method) => !!requireSync("methods", methods(method)) : inList(methods),
    statuses: typeof statuses === "function" ? askedOf(statuses) : inStatuses(statuses),
    maxRetryAfter,
    key: keyRuleOf(owner, idempotencyKey),
    budgetPerOrigin: budget === undefined,
    attempt: bulkhead ? bulkhead.wrap(attempt) : attempt,
    send: breaker ? breaker.wrap(send) : send,
  };
}

function attempt(this: Exchange): Promise<unknown> {
  return this.attempt();
}

function send(this: Exchange, ...request: unknown[]): Promise<unknown> {
  return this.send(...request);
}

function inList(methods: readonly string[]): (method: string) => boolean {
  const upper = methods.map((method) => method.toUpperCase());
  return (method) => upper.includes(method.toUpperCase());
}

function inStatuses(statuses: readonly number[]): HttpPolicy["statuses"] {
  const listed = new Set(statuses);
  return (status) => listed.has(status);
}

function askedOf(statuses: (status: number, response: HttpResponse) => boolean): HttpPolicy["statuses"] {
  return (status, response) => !!requireSync("statuses", statuses(status, response));
}

// AWS' SDKs and Azure's wait from a second where they were throttled.
const throttledWait = /* @__PURE__ */ fullJitter({ base: 1_000, max: 20_000 });

function coreOptionsOf(given: HttpOptions, maxRetryAfter: number): RetryOptions {
  const { stop = usualStop, wait, retryIf = retryIfHttpFailure, budget, onAttempt, onRetry, onGiveUp } = given;
  const core: Record<string, unknown> = {};
  for (const option of Object.keys(ASYNC.table)) core[option] = given[option as keyof HttpOptions];
  const http: RetryOptions = {
    budget: budget || undefined,
    retryIf: mark<NonNullable<RetryOptions["retryIf"]>>((error, state) => {
      const wanted = askPredicate(retryIf, error, state);
      // A function for an answer is a mistake, which the loop tells of.
      const allowed = (answer: boolean) =>
        answer && typeof answer !== "function" ? of(state).mayRepeat(state.outcome) : answer;
      return isThenable(wanted) ? Promise.resolve(wanted).then(allowed) : allowed(wanted);
    }, traitsOfPredicate(retryIf)),
    wait: mark(
      (state: RetryState) => {
        const hint = of(state).hintOf(state.outcome);
        if (hint === undefined) return (wait ?? (isSlowDown(state) ? throttledWait : usualWait))(state);
        // Never earlier than asked, and never all at once: Envoy's rule for rate limits.
        return Math.max((wait ?? usualWait)(state), hint * (1 + state.random() / 2));
      },
      wait ? traitsOf(wait) : 0,
    ),
    stop: mark(
      (state: RetryState) => stop(state) || (of(state).hintOf(state.outcome) ?? 0) > maxRetryAfter,
      traitsOf(stop),
    ),
    onRetry(state) {
      const discard = () => of(state).discard(state.outcome);
      return onRetry ? afterwards(() => onRetry(state), discard) : discard();
    },
    onGiveUp(state) {
      const explained = of(state).explain(state);
      of(state).givenUp(explained);
      return onGiveUp?.(explained);
    },
    fallback: (state) => of(state).fallBack(of(state).explain(state)),
  };
  if (given.pauseOrigin) {
    http.onAttempt = (start) => {
      const held = of(start).holdBack();
      return held ? held.then(() => onAttempt?.(start)) : onAttempt?.(start);
    };
  }
  return { ...core, ...http };
}

function of(state: Pick<RetryState, "args">): Exchange {
  return exchangeOf(state)!;
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

/** A policy, or a function that answers one for a request. */
export type HttpPolicySource<Q> = HttpPolicy | ((request: Q) => HttpPolicy);

/** What the options argument of a client says: options, or a function that answers them. */
export function httpSourceOf<Q>(kind: HttpKind, options: object): HttpPolicySource<Q> {
  if (typeof options !== "function") return httpPolicyOf(kind, options);
  if (isMarked(options))
    throw new TypeError(`${kind.owner}: options must be an object, got a strategy: give it a name`);
  const policyFor = remembered((answered: object) => httpPolicyOf(kind, answered));
  return (request) => {
    const answered: object = options(request);
    check(kind.owner, "what the options function returned", answered, OPTIONS);
    return policyFor(answered);
  };
}

/** `source` with some options replaced; a signal joins those that are there. */
export function httpOverlay<Q>(kind: HttpKind, source: HttpPolicySource<Q>, overrides: object): HttpPolicySource<Q> {
  const given: HttpOptions = readOptions("with", overrides, kind.table);
  const extend = (base: HttpPolicy): HttpPolicy => {
    const policy = httpPolicyOf(kind, { ...base.options, ...given });
    const abortSources = [...new Set([...base.core.abortSources, ...policy.core.abortSources])];
    return { ...policy, core: { ...policy.core, abortSources } };
  };
  if (typeof source !== "function") return extend(source);
  const extended = remembered(extend);
  return (request) => extended(source(request));
}

function remembered<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}
