import {
  bulkhead,
  bulkheads,
  circuitBreaker,
  circuitBreakers,
  type GiveUpReason,
  type RetryState,
  type RetryStats,
  retryBudget,
  retryBudgets,
  retryIfAny,
  retryIfError,
  retryIfNot,
  waitNone,
} from "undaunted";
import {
  type AttemptRequest,
  HttpStatusError,
  originOf,
  peekText,
  type RetryFetchOptions,
  type RetryingFetch,
  retryFetch,
  retryIfHttpFailure,
  retryIfResponse,
} from "undaunted/http";
import { flaky } from "undaunted/testing";
import * as undici from "undici";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

const A = "https://example.com/";

it("can stand wherever fetch is asked for", () => {
  const api: typeof fetch = retryFetch();
  const load = (client: typeof fetch) => client(A);

  expectTypeOf(api(A)).toEqualTypeOf<Promise<Response>>();
  load(retryFetch({ throwOnFailure: true }));
  load(retryFetch(() => ({ wait: waitNone })));
});

it("is called as fetch is", () => {
  const api = retryFetch();

  expectTypeOf(api(A)).toEqualTypeOf<Promise<Response>>();
  expectTypeOf(api(new URL(A), { method: "PUT", body: "text" })).toEqualTypeOf<Promise<Response>>();
  expectTypeOf(api(new Request(A), { signal: null })).toEqualTypeOf<Promise<Response>>();
  // @ts-expect-error a URL is required
  api();
  // @ts-expect-error a number is no URL
  api(42);
  // @ts-expect-error a method is a string
  api(A, { method: 1 });
  // @ts-expect-error a number is no body
  api(A, { method: "PUT", body: 42 });
  // @ts-expect-error there is no such thing as a timeout in fetch's init
  api(A, { timeout: 5 });
});

it("takes a function that makes the body, as well as a body", () => {
  const api = retryFetch();

  expectTypeOf(api(A, { method: "PUT", body: () => new Blob([]).stream() })).toEqualTypeOf<Promise<Response>>();
  api(A, { method: "PUT", body: async () => "text" });
  // @ts-expect-error it is called without arguments
  api(A, { method: "PUT", body: (attempt: number) => `${attempt}` });
});

it("has the types of the fetch that it is given", () => {
  const api = retryFetch({ fetch: undici.fetch });

  expectTypeOf(api(A)).toEqualTypeOf<Promise<undici.Response>>();
  expectTypeOf(api(A, { dispatcher: new undici.Agent(), body: () => "text" })).toEqualTypeOf<
    Promise<undici.Response>
  >();
  const same: typeof undici.fetch = api;
  expectTypeOf(same).toEqualTypeOf<typeof undici.fetch>();
  // @ts-expect-error a dispatcher is none of a string
  api(A, { dispatcher: "agent" });
});

it("has the types of a fetch of the user's own", () => {
  const load = async (path: `/${string}`, init?: { readonly method?: string; readonly tenant: number }) =>
    new Response(`${path}${init?.tenant}`);
  const api = retryFetch({ fetch: load });

  expectTypeOf(api("/users", { tenant: 1 })).toEqualTypeOf<Promise<Response>>();
  // @ts-expect-error the path begins with a slash
  api("users");
  // @ts-expect-error a tenant is required
  api("/users", {});
});

it("keeps overloads apart", () => {
  interface Page extends Response {
    readonly page: number;
  }
  function load(input: "first"): Promise<Page>;
  function load(input: string, init?: RequestInit): Promise<Response>;
  async function load(): Promise<Page> {
    return new Response() as Page;
  }
  const api = retryFetch({ fetch: load });

  expectTypeOf(api("first")).toEqualTypeOf<Promise<Page>>();
  expectTypeOf(api("second", { method: "PUT" })).toEqualTypeOf<Promise<Response>>();
});

it("takes a script for a fetch", () => {
  const api = retryFetch({ fetch: flaky<Promise<Response>>([]) });

  expectTypeOf(api(A)).toEqualTypeOf<Promise<Response>>();
  retryFetch({ fetch: flaky([new Response()]) })(A, { method: "PUT" });
});

it("does not take what is called in another way", () => {
  // @ts-expect-error it answers no promise
  retryFetch({ fetch: (input: string) => new Response(input) });
  // @ts-expect-error a name is no function
  retryFetch({ fetch: "fetch" });
});

it("types the response in hooks, strategies and fallback", () => {
  retryFetch({
    retryIf: (_error, state) => {
      if (state.outcome.ok) expectTypeOf(state.outcome.value).toEqualTypeOf<Response>();
      return false;
    },
    onSuccess: ({ outcome }) => {
      if (outcome.ok) expectTypeOf(outcome.value).toEqualTypeOf<Response>();
    },
    onGiveUp: ({ reason }) => {
      expectTypeOf(reason).toEqualTypeOf<GiveUpReason>();
      return reason === "body-not-replayable";
    },
    statuses: (status, response) => {
      expectTypeOf(status).toEqualTypeOf<number>();
      expectTypeOf(response).toEqualTypeOf<Response>();
      return true;
    },
    fallback: ({ reason, error }) => new Response(`${reason}: ${error}`),
  });
  retryFetch({
    fetch: undici.fetch,
    statuses: (_, response) => {
      expectTypeOf(response).toEqualTypeOf<undici.Response>();
      return true;
    },
    fallback: async () => new undici.Response("cached"),
  });
});

it("does not take a fallback that answers no response", () => {
  // @ts-expect-error a string is no Response
  retryFetch({ fallback: () => "cached" });
});

it("joins its predicates with the core's", () => {
  retryFetch({ retryIf: retryIfHttpFailure });
  retryFetch({ retryIf: retryIfResponse((response) => response.headers.has("x-stale")) });
  retryFetch({ retryIf: retryIfResponse(async (response) => (await peekText(response)) === "busy") });
  retryFetch({
    retryIf: retryIfAny(
      retryIfHttpFailure,
      retryIfError(),
      retryIfResponse(({ ok }) => !ok),
    ),
  });
  retryFetch({
    retryIf: retryIfAny(
      retryIfNot(retryIfHttpFailure),
      retryIfResponse(async ({ ok }) => !ok),
    ),
  });
  expectTypeOf(retryIfResponse(() => true)).returns.toEqualTypeOf<boolean>();
  expectTypeOf(retryIfResponse(async () => true)).toBeCallableWith(undefined, {} as RetryState<Response>);
  // @ts-expect-error a test answers yes or no
  retryIfResponse(() => "yes");
});

it("takes the core's guards and budgets", () => {
  retryFetch({ breaker: circuitBreaker(), bulkhead: bulkhead({ limit: 1 }), budget: retryBudget() });
  retryFetch({
    breaker: circuitBreakers({ key: originOf }),
    bulkhead: bulkheads({ key: originOf, limit: 1 }),
    budget: retryBudgets({ key: originOf }),
  });
  retryFetch({ budget: false });
  // @ts-expect-error there is no budget that is called true
  retryFetch({ budget: true });
  // @ts-expect-error options are no guard
  retryFetch({ bulkhead: { limit: 1 } });
});

it("does not take options that make no sense", () => {
  // @ts-expect-error a list, or a function
  retryFetch({ methods: "GET" });
  // @ts-expect-error statuses are numbers
  retryFetch({ statuses: ["503"] });
  // @ts-expect-error a function of the method
  retryFetch({ methods: (method: number) => method > 0 });
  // @ts-expect-error it must be synchronous
  retryFetch({ methods: async () => true });
  // @ts-expect-error a key differs from call to call
  retryFetch({ idempotencyKey: "a" });
  // @ts-expect-error a header's name is a string
  retryFetch({ idempotencyKey: { header: 1 } });
  // @ts-expect-error it must be synchronous
  retryFetch({ idempotencyKey: async () => "a" });
  // @ts-expect-error there is no such option
  retryFetch({ retries: 3 });
  // @ts-expect-error options must be there at once
  retryFetch(async () => ({}));
});

it("takes undefined for every option, as exactOptionalPropertyTypes asks", () => {
  const nothing: Required<{ [O in keyof RetryFetchOptions]: undefined }> extends RetryFetchOptions ? true : false =
    true;

  expectTypeOf(nothing).toEqualTypeOf<true>();
});

it("lets prepare change the request, but not its method", () => {
  retryFetch({
    prepare: async (request) => {
      expectTypeOf(request).toEqualTypeOf<AttemptRequest>();
      expectTypeOf(request.attempt).toEqualTypeOf<number>();
      expectTypeOf(request.signal).toEqualTypeOf<AbortSignal>();
      request.url = new URL(A);
      request.headers.set("a", "1");
      request.body = "text";
      // @ts-expect-error the method decided what may be repeated
      request.method = "POST";
      // @ts-expect-error headers are changed, not replaced
      request.headers = new Headers();
    },
  });
});

it("hands the request to options that are a function", () => {
  retryFetch(({ method, url, headers }) => {
    expectTypeOf(method).toEqualTypeOf<string>();
    expectTypeOf(url).toEqualTypeOf<URL>();
    return { name: `${headers.get("tenant")}` };
  });
});

it("has with() and stats", () => {
  const api = retryFetch({ fetch: undici.fetch });

  expectTypeOf(api.with({ wait: waitNone })).toEqualTypeOf<RetryingFetch<typeof undici.fetch>>();
  expectTypeOf(api.stats).toEqualTypeOf<RetryStats>();
  // @ts-expect-error stats are read only
  api.stats.calls = 0;
  // @ts-expect-error there is no such option
  api.with({ retries: 3 });
});

it("tells the response of an error", () => {
  expectTypeOf<HttpStatusError["response"]>().toEqualTypeOf<Response>();
  expectTypeOf<HttpStatusError<undici.Response>["response"]>().toEqualTypeOf<undici.Response>();
  expectTypeOf<HttpStatusError["retryAfter"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf(new HttpStatusError("GET", A, new Response()).name).toEqualTypeOf<"HttpStatusError">();
});
