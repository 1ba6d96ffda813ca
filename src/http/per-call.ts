import { check, type Rule, readOptions, show } from "../common/validate.js";
import { HTTP_TABLE, type HttpOptions } from "./options.js";
import { extended, type HttpKind, type HttpPolicy } from "./policy.js";
import type { HttpResponse } from "./request.js";

const NAMES = [
  "stop",
  "wait",
  "retryIf",
  "attemptTimeout",
  "totalTimeout",
  "budget",
  "onAttempt",
  "onRetry",
  "onSuccess",
  "onGiveUp",
  "onHookError",
] as const;

/** What may be said of the retries of one call; `false`: one attempt, with guards, timeouts and `prepare` still in force. */
export type RetryPerCall<R extends HttpResponse = any> = false | Pick<HttpOptions<R>, (typeof NAMES)[number]>;

const TABLE: Record<string, Rule> = /* @__PURE__ */ (() =>
  Object.fromEntries(NAMES.map((name) => [name, HTTP_TABLE[name]!])))();

const RETRY: Rule = [
  "false, or an object",
  "any",
  (retry) => retry === false || (typeof retry === "object" && retry !== null),
];

const ONCE: HttpOptions = { stop: () => true };

// By the object that says so, within the policy that it changes: a constant one is compiled once.
const policies = /* @__PURE__ */ new WeakMap<HttpPolicy, WeakMap<object, HttpPolicy>>();

/** `base` as one call wants it. */
export function perCall(kind: HttpKind, base: HttpPolicy, retry: unknown): HttpPolicy {
  if (retry === undefined) return base;
  if (typeof retry === "number") throw new TypeError(`${kind.owner}: retry must be false, or an object, got ${retry}`);
  check(kind.owner, "retry", retry, RETRY);
  const given = (retry || ONCE) as HttpOptions;
  const known = policies.get(base) ?? new WeakMap<object, HttpPolicy>();
  policies.set(base, known);
  const policy = known.get(given) ?? extended(kind, base, readOptions(`${kind.owner}: retry`, given, TABLE));
  known.set(given, policy);
  return policy;
}

/** Refuses what looks like an option of ours where the request's own settings are: it would change nothing. */
export function refuseMisplaced(owner: string, name: string, own: Record<string, Rule>): void {
  if (!Object.hasOwn(own, name) && name !== "retries" && name !== "maxRetries") return;
  throw new TypeError(
    `${owner}: ${show(name)} is no setting of a request: what holds for one call goes into retry: { … }, other options to ${owner} or with`,
  );
}
