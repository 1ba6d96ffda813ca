import { AsyncLocalStorage } from "node:async_hooks";
import { stopAfterAttempt, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { event } from "./real-clients.js";

const A = "https://example.com/";

/** A server that takes one token, and clients' tokens: what it was sent, and the token that is right. */
function service(valid = "new") {
  const state = { valid, seen: [] as (string | null)[] };
  const fetch = async (input: string | URL, init?: RequestInit) => {
    const token = new Headers(init?.headers).get("authorization");
    state.seen.push(token);
    const isFresh = token === state.valid || token === `${state.valid} ${new URL(input).origin}`;
    return new Response(null, { status: isFresh ? 200 : 401 });
  };
  return { state, fetch };
}

/** A client whose token is old until it is renewed. */
function clientOf(options: RetryFetchOptions & { renewal?: () => Promise<string> } = {}) {
  const { renewal = async () => "new", ...rest } = options;
  const { state, fetch } = service();
  const asked: boolean[] = [];
  let token = "old";
  const authorize = async ({ renew }: { renew: boolean }) => {
    asked.push(renew);
    if (renew) token = await renewal();
    return { authorization: token };
  };
  const api = retryFetch({ fetch: fetch as typeof globalThis.fetch, wait: waitNone, authorize, ...rest });
  return {
    api,
    state,
    asked,
    renewals: () => asked.filter(Boolean).length,
    setToken: (value: string) => (token = value),
  };
}

describe("authorize", () => {
  it("gives the headers that each request is sent with", async () => {
    const { api, state } = clientOf();
    state.valid = "old";

    await api(A, { headers: { "x-a": "1" } });

    expect(state.seen).toEqual(["old"]);
  });

  it("may return pairs, or a Headers", async () => {
    const { fetch, state } = service("a");
    const given = [[["authorization", "a"]], new Headers({ authorization: "a" })];

    for (const headers of given)
      await retryFetch({ fetch: fetch as unknown as typeof globalThis.fetch, authorize: () => headers as HeadersInit })(
        A,
      );

    expect(state.seen).toEqual(["a", "a"]);
  });

  it("is set before prepare is called, which may sign over it", async () => {
    const { fetch } = service("a");
    const seen: unknown[] = [];
    const prepare = ({ headers }: { headers: { get(name: string): unknown } }) =>
      seen.push(headers.get("authorization"));

    await retryFetch({
      fetch: fetch as unknown as typeof globalThis.fetch,
      authorize: () => ({ authorization: "a" }),
      prepare,
    })(A);

    expect(seen).toEqual(["a"]);
  });

  it("fails the attempt where it throws, or returns what is no headers", async () => {
    const { fetch } = service();
    const api = (authorize: () => never) =>
      retryFetch({ fetch: fetch as unknown as typeof globalThis.fetch, authorize })(A);

    await expect(api(() => "a" as never)).rejects.toThrow("retryFetch: what authorize returned must be headers");
    await expect(
      api(() => {
        throw new Error("no session");
      }),
    ).rejects.toThrow("no session");
  });
});

describe("after a 401", () => {
  it("a POST is sent again with what the renewal gave, within the same attempt", async () => {
    const retries: unknown[] = [];
    const { api, state, asked } = clientOf({ stop: stopAfterAttempt(1), onRetry: (s) => retries.push(s) });

    const { status } = await api(A, { method: "POST", body: "x" });

    expect(status).toBe(200);
    expect(state.seen).toEqual(["old", "new"]);
    expect(asked).toEqual([false, true]);
    expect(retries).toEqual([]);
    expect(api.stats).toMatchObject({ attempts: 1, retries: 0 });
  });

  it("the next 401 is returned", async () => {
    const { api, state } = clientOf({ renewal: async () => "still old" });

    expect((await api(A)).status).toBe(401);
    expect(state.seen).toEqual(["old", "still old"]);
  });

  it("a body that is a stream is spent: the 401 is returned", async () => {
    const { api, state } = clientOf();

    expect((await api(A, { method: "POST", body: new Blob(["x"]).stream() })).status).toBe(401);
    expect(state.seen).toEqual(["old"]);
  });

  it("20 calls share one renewal", async () => {
    const { api, renewals } = clientOf();

    const responses = await Promise.all(Array.from({ length: 20 }, () => api(A)));

    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(renewals()).toBe(1);
  });

  it("a second expiry is renewed again", async () => {
    const tokens = ["new", "newer"];
    const { api, state, renewals } = clientOf({ renewal: async () => tokens.shift()! });

    await api(A);
    state.valid = "newer";
    const { status } = await api(A);

    expect(status).toBe(200);
    expect(renewals()).toBe(2);
  });

  it("a 401 that comes after a renewal that began later takes that one's result", async () => {
    const slow = event();
    const { fetch, state } = service();
    let calls = 0;
    const api = retryFetch({
      fetch: (async (input: string, init: RequestInit) => {
        const response = await fetch(input, init);
        if (++calls === 1) await slow.happened;
        return response;
      }) as typeof globalThis.fetch,
      authorize: ({ renew }) => {
        if (renew) renewals++;
        return { authorization: renew ? "new" : "old" };
      },
    });
    let renewals = 0;

    const late = api(A);
    await api(A);
    slow.happen();
    const { status } = await late;

    expect(status).toBe(200);
    expect(renewals).toBe(1);
    expect(state.seen).toEqual(["old", "old", "new", "new"]);
  });

  it("a failed renewal fails all that wait for it, and is not kept", async () => {
    let fails = true;
    const renewal = async () => {
      if (fails) throw new Error("the session is over");
      return "new";
    };
    const { api, renewals } = clientOf({ renewal });

    const ended = await Promise.allSettled([api(A), api(A)]);
    fails = false;
    const { status } = await api(A);

    expect(ended.map((each) => (each as PromiseRejectedResult).reason.message)).toEqual(
      Array.from({ length: 2 }, () => "the session is over"),
    );
    expect(status).toBe(200);
    expect(renewals()).toBe(2);
  });

  it("two tenants do not share a renewal where authorizeKey tells them apart", async () => {
    const authorizeKey = ({ headers }: { headers: { get(name: string): unknown } }) => `${headers.get("x-tenant")}`;
    const { api, renewals } = clientOf({ authorizeKey });

    await Promise.all(["1", "2", "2"].map((tenant) => api(A, { headers: { "x-tenant": tenant } })));

    expect(renewals()).toBe(2);
  });

  it("two origins do not share a renewal", async () => {
    const { api, renewals } = clientOf();

    await Promise.all([api(A), api("https://other.example/")]);

    expect(renewals()).toBe(2);
  });

  it("an abort of the call that began a renewal does not end it for the others", async () => {
    const { happen, happened } = event();
    const controller = new AbortController();
    const { api, renewals, asked } = clientOf({
      renewal: async () => {
        await happened;
        return "new";
      },
    });

    const first = api(A, { signal: controller.signal });
    while (!asked.includes(true)) await Promise.resolve();
    const second = api(A);
    controller.abort(new Error("left"));
    await expect(first).rejects.toThrow("left");
    happen();

    expect((await second).status).toBe(200);
    expect(renewals()).toBe(1);
  });

  it("an attempt that is over by then renews nothing", async () => {
    const { happen, happened } = event();
    const asked: boolean[] = [];
    const controller = new AbortController();
    const api = retryFetch({
      fetch: (async () => {
        await happened;
        return new Response(null, { status: 401 });
      }) as typeof globalThis.fetch,
      authorize: ({ renew }) => {
        asked.push(renew);
        return {};
      },
    });

    const call = api(A, { signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("left"));
    await expect(call).rejects.toThrow("left");
    happen();
    await new Promise((resolve) => setImmediate(resolve));

    expect(asked).toEqual([false]);
  });

  it("the renewal runs in the async context of the call that began it", async () => {
    const user = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { api } = clientOf({
      renewal: async () => {
        seen.push(user.getStore());
        return "new";
      },
    });

    await Promise.all([user.run("ada", () => api(A)), user.run("bob", () => api(A))]);

    expect(seen).toEqual(["ada"]);
  });
});
