import type { RetryOptions } from "../common/attempt.js";
import { requireSync } from "../common/thenable.js";
import { isMarked } from "../common/traits.js";
import { check, OPTIONS, type Rule, readOptions } from "../common/validate.js";
import { serverDelay } from "../hints/server-delay.js";
import { ASYNC, type CompiledPolicy, compile, refusePassed } from "../loop/policy.js";
import { retryIfHttpFailure } from "./failure.js";
import { type KeyRule, keyRuleOf } from "./idempotency-key.js";
import { type HttpOptions, MAX_BYTES } from "./options.js";
import { type HttpResponse, headersOf } from "./request.js";
import { isIdempotentMethod, isRetryableStatus, isUnexecutedStatus } from "./status.js";

/** What the policies of different clients differ in. */
export interface HttpKind {
  /** Whom an error about an option names. */
  readonly owner: string;
  readonly table: Record<string, Rule>;
  /** One attempt of a call, which is its `this`: the function that is inside the bulkhead. */
  readonly attempt: (...args: any[]) => Promise<unknown>;
  /** What the attempt sends: the function that is inside the breaker. */
  readonly send: (...args: any[]) => Promise<unknown>;
}

type StatusTest = (status: number, response: HttpResponse) => boolean;

/** Options of an HTTP client, checked, and as its calls go by them. */
export interface HttpPolicy {
  /** As they were given. */
  readonly options: HttpOptions;
  /** What the loop goes by. */
  readonly core: CompiledPolicy;
  readonly methods: (method: string) => boolean;
  readonly statuses: StatusTest;
  readonly unexecuted: StatusTest;
  readonly maxRetryAfter: number;
  readonly key: KeyRule;
  /** Retries are paid from a budget for each origin. */
  readonly budgetPerOrigin: boolean;
  /** Bytes of a body that an attempt waits for, 0 for none. */
  readonly throughBytes: number;
  /** One attempt, in the bulkhead. */
  readonly attempt: (...args: any[]) => Promise<unknown>;
  /** What the attempt sends, in the breaker. */
  readonly send: (...args: any[]) => Promise<unknown>;
}

const MEBIBYTE = 1_048_576;

/** The policy that `options` say. */
function httpPolicyOf(kind: HttpKind, options: HttpOptions): HttpPolicy {
  const { owner, table } = kind;
  const given = readOptions(owner, options, table);
  const { methods = isIdempotentMethod, statuses = isUsuallyRetried, unexecuted = isUnexecutedStatus } = given;
  const { maxRetryAfter = 60_000, idempotencyKey, breaker, bulkhead, budget, throughBody = false } = given;
  const { maxBytes = MEBIBYTE } =
    typeof throughBody === "object" ? readOptions(`${owner}.throughBody`, throughBody, MAX_BYTES) : {};
  return {
    options: given,
    core: compile(ASYNC, coreOptionsOf(given)),
    methods: typeof methods === "function" ? (method) => !!requireSync("methods", methods(method)) : inList(methods),
    statuses: testOf("statuses", statuses),
    unexecuted: testOf("unexecuted", unexecuted),
    maxRetryAfter,
    key: keyRuleOf(owner, idempotencyKey),
    budgetPerOrigin: budget === undefined,
    throughBytes: throughBody ? maxBytes : 0,
    attempt: bulkhead ? bulkhead.wrap(kind.attempt) : kind.attempt,
    send: breaker ? breaker.wrap(kind.send) : kind.send,
  };
}

function inList(methods: readonly string[]): (method: string) => boolean {
  const upper = methods.map((method) => method.toUpperCase());
  return (method) => upper.includes(method.toUpperCase());
}

function testOf(option: string, statuses: readonly number[] | StatusTest): StatusTest {
  if (typeof statuses === "function") return (status, response) => !!requireSync(option, statuses(status, response));
  const listed = new Set(statuses);
  return (status) => listed.has(status);
}

/** A 413 is for good unless it says when to come back (RFC 9110, 15.5.14). */
function isUsuallyRetried(status: number, response: HttpResponse): boolean {
  if (isRetryableStatus(status)) return true;
  return status === 413 && serverDelay(headersOf(response), Date.now(), status) !== undefined;
}

function coreOptionsOf(given: HttpOptions): RetryOptions {
  const core: Record<string, unknown> = {};
  for (const option of Object.keys(ASYNC.table)) core[option] = given[option as keyof HttpOptions];
  return { ...core, retryIf: given.retryIf ?? retryIfHttpFailure, budget: given.budget || undefined };
}

/** A policy, or a function that returns one for a request. */
export type HttpPolicySource<Q> = HttpPolicy | ((request: Q) => HttpPolicy);

/** What the options argument of a client says: options, or a function that returns them. */
export function httpSourceOf<Q>(kind: HttpKind, options: object): HttpPolicySource<Q> {
  if (typeof options !== "function") {
    const policy = httpPolicyOf(kind, options);
    refusePassed(policy.core, kind.owner);
    return policy;
  }
  if (isMarked(options))
    throw new TypeError(`${kind.owner}: options must be an object, got a strategy: give it a name`);
  const policyFor = remembered((returned: object) => httpPolicyOf(kind, returned));
  return (request) => {
    const returned: object = options(request);
    check(kind.owner, "what the options function returned", returned, OPTIONS);
    return policyFor(returned);
  };
}

/** `source` with some options replaced; a signal joins those that are there. */
export function httpOverlay<Q>(kind: HttpKind, source: HttpPolicySource<Q>, overrides: object): HttpPolicySource<Q> {
  const given: HttpOptions = readOptions("with", overrides, kind.table);
  const extend = (base: HttpPolicy) => extended(kind, base, given);
  if (typeof source !== "function") return extend(source);
  const policyFor = remembered(extend);
  return (request) => policyFor(source(request));
}

/** `base` with options replaced that have been checked. */
export function extended(kind: HttpKind, base: HttpPolicy, given: HttpOptions): HttpPolicy {
  const policy = httpPolicyOf(kind, { ...base.options, ...given });
  const abortSources = [...new Set([...base.core.abortSources, ...policy.core.abortSources])];
  return { ...policy, core: { ...policy.core, abortSources } };
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
