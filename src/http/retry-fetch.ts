import type { RetryStats } from "../common/attempt.js";
import { type AbortSource, abortSourceOf } from "../common/interrupt.js";
import type { SharedPauses } from "../common/pause.js";
import { BOOLEAN, check, FUNCTION, isGiven, type Rule, SIGNAL } from "../common/validate.js";
import { addWithAndStats } from "../loop/target.js";
import { HttpClient } from "./client.js";
import { type FetchInit, type FetchInput, FetchRequest, FetchTransport } from "./fetch-transport.js";
import { attemptOf, GUARDED, HttpCall } from "./http-call.js";
import { applyKey } from "./idempotency-key.js";
import { HTTP_TABLE, type HttpOptions } from "./options.js";
import { perCall, type RetryPerCall, refuseMisplaced } from "./per-call.js";
import { type HttpKind, type HttpPolicySource, httpOverlay, httpSourceOf } from "./policy.js";
import type { HttpRequest } from "./request.js";
import { type AnyFetch, callWith, GlobalFetch, markClient } from "./which-fetch.js";

type ResponseOf<F extends AnyFetch> = Awaited<ReturnType<F>>;

/** The options of `retryFetch`. */
export interface RetryFetchOptions<F extends AnyFetch = typeof fetch> extends HttpOptions<ResponseOf<F>> {
  /**
   * What sends a request: the runtime's, undici's, one of your own.
   * @default the global `fetch`, looked up at each attempt
   */
  fetch?: F | undefined;
  pauseOrigin?: boolean | SharedPauses<FetchRequestView> | undefined;
  /**
   * Whether a last response of status 400 or above is thrown as an `HttpStatusError` rather than returned. Up to 64 KiB of its
   * body can then be read; a longer one is let go of.
   * @default false
   */
  throwOnFailure?: boolean | undefined;
}

/** A stand-in may take less than `fetch` does, and is called as that all the same. */
type InputOf<F extends AnyFetch> = Parameters<F> extends [] ? Parameters<typeof fetch>[0] : Parameters<F>[0];
type InitOf<F extends AnyFetch> = NonNullable<
  Parameters<F>["length"] extends 0 | 1 ? Parameters<typeof fetch>[1] : Parameters<F>[1]
>;

/**
 * What `init` may be: the client's own, with a `body` that may also be a function that makes it for each attempt, and what
 * holds for the retries of this call alone.
 */
export type RetryInit<F extends AnyFetch> = Omit<InitOf<F>, "body"> & {
  body?: InitOf<F>["body"] | (() => unknown);
  retry?: RetryPerCall<ResponseOf<F>> | undefined;
};

/** A request as an options function of `retryFetch` sees it: also with the `init` that the call was made with. */
export interface FetchRequestView extends HttpRequest {
  readonly init: RetryInit<typeof fetch> | undefined;
}

/** `F`, retried. */
export type RetryingFetch<F extends AnyFetch> = F & {
  (input: InputOf<F>, init?: RetryInit<F>): ReturnType<F>;
  /** A new client with some options replaced. It shares stats, budgets and pauses; a `signal` joins the policy's own. */
  with(overrides: RetryFetchOptions<F>): RetryingFetch<F>;
  readonly stats: RetryStats;
};

/**
 * Wraps `fetch` so that requests are retried as a good citizen does it: only what may be sent twice, never a body that
 * cannot be, no sooner than the server asks, and within a budget per origin. Returns the last response as `fetch` would, or
 * rejects with the last attempt's own error. `options` may be a function of the request: a policy per host or path. Throws a
 * `TypeError` or `RangeError` at once for an option that makes no sense.
 *
 * @example
 * const server = flaky([new Response(null, { status: 503 }), new Response("hello")]);
 * const api = retryFetch({ fetch: server, wait: waitNone });
 * const response = await api("https://example.com/greeting");
 * await response.text(); // => "hello"
 */
export function retryFetch<F extends AnyFetch = typeof fetch>(
  options: RetryFetchOptions<F> | ((request: FetchRequestView) => RetryFetchOptions<F>) = {},
): RetryingFetch<F> {
  const client = new HttpClient(FETCH.owner, attemptOf);
  return clientOf(client, new GlobalFetch(), httpSourceOf(FETCH, options)) as RetryingFetch<F>;
}

const FETCH: HttpKind = /* @__PURE__ */ (() => ({
  ...GUARDED,
  owner: "retryFetch",
  table: { ...HTTP_TABLE, fetch: FUNCTION, throwOnFailure: BOOLEAN },
}))();

/** What is an option of ours and no setting of a request, as `signal` is both. */
const OWN: Record<string, Rule> = /* @__PURE__ */ (() => {
  const { signal: _, ...own } = FETCH.table;
  return own;
})();

function clientOf(client: HttpClient, global: GlobalFetch, source: HttpPolicySource<HttpRequest>): object {
  const retried = function fetch(input: FetchInput, init?: FetchInit): Promise<unknown> {
    const past = global.outOfLoop(init);
    if (past) return callWith(past, input, init);
    try {
      const [call, transport] = callOf(client, global, source, input, init);
      const ended = call.start();
      transport.settleWith(ended);
      return ended;
    } catch (error) {
      const { stats } = client.target;
      stats.calls++;
      stats.failures++;
      return Promise.reject(error);
    }
  };
  const withOverrides = (overrides: object) => clientOf(client, global, httpOverlay(FETCH, source, overrides));
  return markClient(addWithAndStats(retried, client.target.stats, withOverrides));
}

/** A call of the client. Throws for a request that makes no sense. */
function callOf(
  client: HttpClient,
  global: GlobalFetch,
  source: HttpPolicySource<HttpRequest>,
  input: FetchInput,
  init: FetchInit | undefined,
): [HttpCall<Response>, FetchTransport] {
  for (const name in init) if (isGiven(init!, name)) refuseMisplaced(FETCH.owner, name, OWN);
  const request = new FetchRequest(input, init);
  const base = typeof source === "function" ? source(request) : source;
  const policy = perCall(FETCH, base, (init as { retry?: unknown } | undefined)?.retry);
  const { fetch, throwOnFailure = false } = policy.options as RetryFetchOptions;
  const { key } = policy;
  const had = request.hasHeaders && request.headers.has(key.header);
  const keyed = (had || key.value !== undefined) && applyKey(client.owner, key, request);
  const send = fetch
    ? (to: unknown, settings?: object) => callWith(fetch, to, settings)
    : (to: unknown, settings?: object) => global.call(to, settings);
  const transport = new FetchTransport(request, policy, throwOnFailure, fetch, send, keyed, keyed && !had);
  const abortSources = abortSourcesOf(client.owner, request.source, init);
  return [new HttpCall(client, policy, transport, [input, init], keyed, abortSources), transport];
}

/** Both signals count, where there are two; one that is null is no signal, and there is no other. */
function abortSourcesOf(owner: string, request: Request | undefined, init: FetchInit | undefined): AbortSource[] {
  const signal = init?.signal;
  if (signal === null) return [];
  const abortSources: AbortSource[] = [];
  if (request?.signal) abortSources.push(abortSourceOf(request.signal));
  if (signal !== undefined) {
    check(owner, "init.signal", signal, SIGNAL);
    abortSources.push(abortSourceOf(signal));
  }
  return abortSources;
}
