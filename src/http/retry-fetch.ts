import type { RetryStats } from "../common/attempt.js";
import { BOOLEAN, FUNCTION } from "../common/validate.js";
import { addWithAndStats } from "../loop/target.js";
import { HttpClient } from "./client.js";
import { exchangeFor, type FetchInit, type FetchInput } from "./fetch-exchange.js";
import { type HttpKind, type HttpPolicySource, httpOverlay, httpSourceOf } from "./http-policy.js";
import { HTTP_TABLE, type HttpOptions } from "./options.js";
import type { HttpRequest } from "./request.js";

/** Anything that is called as `fetch` is. */
export type AnyFetch = (input: any, init?: any) => Promise<any>;

type ResponseOf<F extends AnyFetch> = Awaited<ReturnType<F>>;

/** The options of `retryFetch`. */
export interface RetryFetchOptions<F extends AnyFetch = typeof fetch> extends HttpOptions<ResponseOf<F>> {
  /**
   * What sends a request: the runtime's, undici's, one of your own.
   * @default the global `fetch`, looked up at each attempt
   */
  fetch?: F | undefined;
  /**
   * Whether a last response of status 400 or above is thrown as an `HttpStatusError` rather than returned.
   * @default false
   */
  throwOnFailure?: boolean | undefined;
}

/** A stand-in may take less than `fetch` does, and is called as that all the same. */
type InputOf<F extends AnyFetch> = Parameters<F> extends [] ? Parameters<typeof fetch>[0] : Parameters<F>[0];
type InitOf<F extends AnyFetch> = NonNullable<
  Parameters<F>["length"] extends 0 | 1 ? Parameters<typeof fetch>[1] : Parameters<F>[1]
>;

/** What `init` may be: the client's own, with a `body` that may also be a function that makes it for each attempt. */
export type RetryInit<F extends AnyFetch> = Omit<InitOf<F>, "body"> & { body?: InitOf<F>["body"] | (() => unknown) };

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
  options: RetryFetchOptions<F> | ((request: HttpRequest) => RetryFetchOptions<F>) = {},
): RetryingFetch<F> {
  return clientOf(new HttpClient(FETCH.owner), httpSourceOf(FETCH, options)) as RetryingFetch<F>;
}

const FETCH: HttpKind = {
  owner: "retryFetch",
  table: { ...HTTP_TABLE, fetch: FUNCTION, throwOnFailure: BOOLEAN },
};

function clientOf(client: HttpClient, source: HttpPolicySource<HttpRequest>): object {
  const retried = function fetch(input: FetchInput, init?: FetchInit): Promise<unknown> {
    try {
      const exchange = exchangeFor(client, source, input, init);
      const answer = exchange.start();
      exchange.settleWith(answer);
      return answer;
    } catch (error) {
      const { stats } = client.target;
      stats.calls++;
      stats.failures++;
      return Promise.reject(error);
    }
  };
  const withOverrides = (overrides: object) => clientOf(client, httpOverlay(FETCH, source, overrides));
  return addWithAndStats(retried, client.target.stats, withOverrides);
}
