import { NonRetryableError, retry, TryAgainError } from "undaunted";
import { type IdempotencyStore, memoryIdempotencyStore } from "undaunted/idempotency";
import { type IdempotentServerOptions, idempotentHandler, notDone } from "undaunted/server";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../idempotency/deferred.js";

type Options = Partial<Omit<IdempotentServerOptions<Request>, "transaction">>;

function serving(handler: (request: Request) => unknown, more: Options = {}) {
  const fn = vi.fn(handler);
  const errors: unknown[] = [];
  const serve = idempotentHandler(fn as (request: Request) => Response, {
    ...{ name: "test", store: memoryIdempotencyStore(), scope: "public", onError: (error) => void errors.push(error) },
    ...more,
  });
  return { fn, errors, serve };
}

interface Init {
  readonly method?: string;
  readonly key?: string;
  readonly path?: string;
  readonly body?: BodyInit;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

function request({ method = "POST", key = '"k1"', path = "/orders", body, headers = {}, signal }: Init = {}): Request {
  const all = key ? { "idempotency-key": key, ...headers } : headers;
  return new Request(`http://localhost${path}`, {
    method,
    headers: all,
    ...(body && { body }),
    ...(signal && { signal }),
  });
}

/** What a client sees of a response. */
async function seen(response: Response) {
  const { "idempotent-replayed": replayed, ...headers } = Object.fromEntries(response.headers);
  return { status: response.status, headers, replayed, body: await response.text() };
}

const problem = async (response: Response) => {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return { status: response.status, ...(await response.json()) };
};

describe("idempotentHandler", () => {
  it("runs the handler once for a key, and sends status, headers and body again, marked as replayed", async () => {
    const { fn, serve } = serving(
      () =>
        new Response('{ "order": 1 }\n', {
          status: 201,
          headers: { "content-type": "application/json", location: "/1", "x-a": "b" },
        }),
    );

    const first = await seen(await serve(request({ body: "tea" })));
    const again = await seen(await serve(request({ body: "tea" })));

    expect(first).toEqual({
      status: 201,
      headers: { "content-type": "application/json", location: "/1", "x-a": "b" },
      replayed: undefined,
      body: '{ "order": 1 }\n',
    });
    expect(again).toEqual({ ...first, replayed: "true" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("sends bytes again as they were", async () => {
    const bytes = new Uint8Array(1_000).map((_, at) => at * 7);
    const { serve } = serving(() => new Response(bytes));
    await serve(request());

    expect(new Uint8Array(await (await serve(request())).arrayBuffer())).toEqual(bytes);
  });

  it.each([204, 205, 304])("sends a %i without a body again", async (status) => {
    const { fn, serve } = serving(() => new Response(null, { status }));
    await serve(request());

    const again = await serve(request());

    expect([again.status, again.body, fn.mock.calls.length]).toEqual([status, null, 1]);
  });

  it("lets the handler read the body, and hands on what it is called with", async () => {
    const handler = idempotentHandler(
      async (request: Request, ...rest: [string, number]) => new Response([await request.text(), ...rest].join()),
      { name: "test", store: memoryIdempotencyStore(), scope: "public" },
    );

    expect(await (await handler(request({ body: "tea" }), "env", 7)).text()).toBe("tea,env,7");
  });

  it.each(["GET", "HEAD", "PUT", "DELETE"])("leaves %s alone, whatever key it carries", async (method) => {
    const { fn, serve } = serving(() => new Response());
    await serve(request({ method }));
    await serve(request({ method, key: "" }));

    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("takes the methods that it is told", async () => {
    const { fn, serve } = serving(() => new Response(), { methods: ["PUT"], required: true });
    await serve(request({ method: "PUT" }));
    await serve(request({ method: "PUT" }));
    await serve(request({ method: "POST", key: "" }));

    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("runs a request without a key as ever, where none is required", async () => {
    const { fn, serve } = serving(() => new Response("done"));
    await serve(request({ key: "" }));

    expect(await (await serve(request({ key: "" }))).text()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("refuses a request without a key where one is required", async () => {
    const { fn, serve } = serving(() => new Response(), { required: true });

    expect(await problem(await serve(request({ key: "" })))).toEqual({
      type: "about:blank",
      title: "Bad Request",
      status: 400,
      detail: "this request needs an Idempotency-Key",
      code: "ERR_IDEMPOTENCY_KEY_MISSING",
    });
    expect(fn).not.toHaveBeenCalled();
  });

  it.each([
    ["empty quotes", '""'],
    ["two keys", '"a", "b"'],
    ["two bare keys", "a, b"],
    ["a quote without an end", '"a'],
    ["an escaped letter", '"\\a"'],
    ["a space in a bare key", "a b"],
    ["parameters", '"a";b=1'],
    ["256 characters", `"${"k".repeat(256)}"`],
    ["256 bare characters", "k".repeat(256)],
    ["a character that is not ASCII", '"é"'],
  ])("refuses a malformed key: %s", async (_what, key) => {
    const { fn, serve } = serving(() => new Response());

    expect(await problem(await serve(request({ key })))).toMatchObject({
      status: 400,
      code: "ERR_IDEMPOTENCY_KEY_MALFORMED",
    });
    expect(fn).not.toHaveBeenCalled();
  });

  it.each([
    ['"k1"', "k1"],
    ['"a\\"b\\\\c"', 'a"b\\\\c'],
    [`"${"k".repeat(255)}"`, "k".repeat(255)],
    ['"a, b"', '"a, b"'],
  ])("takes %s", async (key, same) => {
    const { fn, serve } = serving(() => new Response());
    await serve(request({ key }));
    if (!same.includes("\\")) await serve(request({ key: same }));

    expect(fn).toHaveBeenCalledTimes(1);
  });

  it.each<[string, Init]>([
    ["body", { body: "coffee" }],
    ["path", { path: "/other", body: "tea" }],
    ["query", { path: "/orders?a=1", body: "tea" }],
    ["method", { method: "PATCH", body: "tea" }],
    ["bytes of the body", { body: "tea " }],
  ])("refuses a key that was used with another %s", async (_what, init) => {
    const { fn, serve } = serving(() => new Response());
    await serve(request({ body: "tea" }));

    expect(await problem(await serve(request(init)))).toMatchObject({ status: 422, code: "ERR_IDEMPOTENCY_MISMATCH" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("tells requests apart by a fingerprint of one's own", async () => {
    const { fn, serve } = serving(() => new Response(), { fingerprint: (request) => request.headers.get("x-id")! });
    await serve(request({ body: "a", headers: { "x-id": "1" } }));
    await serve(request({ body: "b", headers: { "x-id": "1" } }));

    expect((await serve(request({ body: "a", headers: { "x-id": "2" } }))).status).toBe(422);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("refuses a key that is in use, and says when to come back: in whole seconds, not at once", async () => {
    const clock = virtualClock();
    const work = deferred<Response>();
    const { serve } = serving(() => work.promise, { store: memoryIdempotencyStore({ clock }), clock, lease: 2_500 });
    const first = serve(request());
    await vi.waitFor(async () => expect((await serve(request())).status).toBe(409));

    const refused = await serve(request());

    expect(refused.headers.get("retry-after")).toBe("3");
    expect(await problem(refused)).toMatchObject({ code: "ERR_IDEMPOTENCY_IN_FLIGHT", title: "Conflict" });
    work.resolve(new Response("done"));
    expect(await (await first).text()).toBe("done");
    expect((await serve(request())).headers.get("idempotent-replayed")).toBe("true");
  });

  it("answers problems as it is told", async () => {
    const own = vi.fn(({ status, code }: { status: number; code: string }, headers: object) =>
      Response.json({ error: code, ...headers }, { status }),
    );
    const { serve } = serving(() => new Response(), { required: true, problem: own });

    const response = await serve(request({ key: "" }));

    expect([response.status, await response.json()]).toEqual([400, { error: "ERR_IDEMPOTENCY_KEY_MISSING" }]);
  });
});

describe("an answer that failed", () => {
  it.each([500, 502, 503])("is stored and sent again like any: a %i, with x-should-retry: false", async (status) => {
    const { fn, serve } = serving(() => new Response("down", { status }));

    const [first, again] = [await seen(await serve(request())), await seen(await serve(request()))];

    expect(first).toMatchObject({ status, body: "down", headers: { "x-should-retry": "false" } });
    expect(again).toEqual({ ...first, replayed: "true" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("keeps what the handler says of another attempt", async () => {
    const { serve } = serving(() => new Response("", { status: 503, headers: { "x-should-retry": "true" } }));

    expect((await serve(request())).headers.get("x-should-retry")).toBe("true");
  });

  it("is stored where the handler throws, and the error is reported once", async () => {
    const bug = new TypeError("secret");
    const { fn, serve, errors } = serving(() => {
      throw bug;
    });

    const [first, again] = [await serve(request()), await serve(request())];

    expect(await problem(first)).toEqual({
      type: "about:blank",
      title: "Internal Server Error",
      status: 500,
      code: "ERR_FAILED",
    });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect([again.status, again.headers.get("x-should-retry")]).toEqual([500, "false"]);
    expect(errors).toEqual([bug]);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it.each([400, 401, 404, 409, 422])("is stored: a %i, of which nothing is said", async (status) => {
    const { fn, serve } = serving(() => new Response("no", { status }));
    await serve(request());

    expect(await seen(await serve(request()))).toMatchObject({ status, body: "no", replayed: "true" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it.each<[string, () => unknown, number]>([
    ["a 408", () => new Response("", { status: 408 }), 408],
    ["a 421", () => new Response("", { status: 421 }), 421],
    ["a 425", () => new Response("", { status: 425 }), 425],
    ["a 429", () => new Response("", { status: 429 }), 429],
    ["a response marked as not done", () => notDone(new Response("", { status: 503 })), 503],
    ["an error marked as not done", () => Promise.reject(notDone(new Error("busy"))), 500],
    ["a TryAgainError", () => Promise.reject(new TryAgainError({ after: 1_500 })), 503],
  ])("frees the key: %s", async (_what, handler, status) => {
    const { fn, serve } = serving(handler);

    const first = await serve(request());

    expect([first.status, first.headers.get("x-should-retry")]).toEqual([status, null]);
    expect((await serve(request())).headers.get("idempotent-replayed")).toBeNull();
    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("keeps the answer to an error that only has the code of a TryAgainError, as one of another server's may", async () => {
    const { fn, serve } = serving(() => Promise.reject(Object.assign(new Error("relayed"), { code: "ERR_TRY_AGAIN" })));

    await serve(request());

    expect((await serve(request())).headers.get("idempotent-replayed")).toBe("true");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("says when to come back after a TryAgainError", async () => {
    const { serve } = serving(() => Promise.reject(new TryAgainError({ after: 1_500 })));

    expect((await serve(request())).headers.get("retry-after")).toBe("2");
  });

  it.each([undefined, "done", { status: 200 }])("is a TypeError where the handler returns %j", async (made) => {
    for (const key of ["k1", ""]) {
      const { serve, errors } = serving(() => made);

      expect((await serve(request({ key }))).status).toBe(500);
      expect(String(errors)).toContain("idempotentHandler: handler must return a Response, got");
    }
  });

  it("without a key says that a retry has given up, and nothing of other errors", async () => {
    const down = retry(() => Promise.reject(new Error("down")), instant);
    for (const [handler, says] of [
      [() => down(), "false"],
      [() => Promise.reject(new NonRetryableError("no")), null],
    ] as const) {
      const { serve } = serving(handler);
      expect((await serve(request({ key: "" }))).headers.get("x-should-retry")).toBe(says);
    }
  });

  it("passes an upstream's x-should-retry on", async () => {
    const { serve } = serving(() => new Response("", { status: 503, headers: { "x-should-retry": "false" } }));

    expect((await serve(request({ method: "GET", key: "" }))).headers.get("x-should-retry")).toBe("false");
  });
});

describe("what is stored", () => {
  it("has no cookies, no date and nothing of the connection, which the first answer has", async () => {
    const headers = new Headers({
      connection: "close, X-Hop",
      "x-hop": "1",
      date: "now",
      "keep-alive": "1",
      "x-kept": "1",
    });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    const { serve } = serving(() => new Response(null, { headers }));

    const [first, again] = [await serve(request()), await serve(request())];

    expect(first.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(Object.fromEntries(again.headers)).toEqual({ "x-kept": "1", "idempotent-replayed": "true" });
  });

  it("is bounded: a larger answer passes through, and a repeat is refused without a second run", async () => {
    const large = "x".repeat(50) + "y".repeat(70);
    const { fn, serve } = serving(() => new Response(large), { maxBody: 100 });

    expect(await (await serve(request())).text()).toBe(large);
    const again = await serve(request());

    expect([again.status, again.headers.get("x-should-retry")]).toEqual([409, "false"]);
    expect(await problem(again)).toMatchObject({ code: "ERR_IDEMPOTENCY_NOT_KEPT" });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is an answer of just maxBody bytes", async () => {
    const { serve } = serving(() => new Response("x".repeat(100)), { maxBody: 100 });
    await serve(request());

    expect(await (await serve(request())).text()).toBe("x".repeat(100));
  });

  it("is no answer of a MiB and a byte, unless told", async () => {
    const { serve } = serving(
      (request) => new Response(new Uint8Array(2 ** 20 + Number(new URL(request.url).search.slice(1)))),
    );
    for (const [more, status] of [
      ["0", 200],
      ["1", 409],
    ] as const) {
      const one = () => request({ key: more, path: `/?${more}` });
      await (await serve(one())).arrayBuffer();
      expect((await serve(one())).status).toBe(status);
    }
  });

  it("is no stream of events: it passes through, and a repeat is refused", async () => {
    let push!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        push = controller;
      },
    });
    const { serve } = serving(
      () => new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } }),
    );

    const response = await serve(request());
    push.enqueue(new TextEncoder().encode("data: 1\n\n"));

    const { value } = await response.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("data: 1\n\n");
    expect((await serve(request())).status).toBe(409);
  });

  it.each([{ accept: "text/event-stream" }, { accept: "text/event-stream;q=1, TEXT/event-stream" }, { upgrade: "x" }])(
    "is nothing of a request for a stream or another protocol, which runs without its key: %j",
    async (headers) => {
      const { fn, serve } = serving(() => new Response());
      await serve(request({ headers: headers as Record<string, string> }));
      await serve(request({ headers: headers as Record<string, string> }));

      expect(fn).toHaveBeenCalledTimes(2);
    },
  );

  it("is what came of a request that takes events among others", async () => {
    const { fn, serve } = serving(() => new Response());
    for (let n = 0; n < 2; n++) await serve(request({ headers: { accept: "application/json, text/event-stream" } }));

    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("is refused before the handler runs where the request is too large", async () => {
    const { fn, serve } = serving(() => new Response(), { maxRequestBody: 10 });

    expect(await problem(await serve(request({ body: "x".repeat(11) })))).toMatchObject({ status: 413 });
    expect((await serve(request({ key: "", body: "x".repeat(11) }))).status).toBe(200);
    expect((await serve(request({ body: "x".repeat(10) }))).status).toBe(200);
    expect(fn).toHaveBeenCalledTimes(2);
  });
});

describe("a client that is gone", () => {
  it("does not end work that has begun under a key: its answer is for whoever comes again", async () => {
    const client = new AbortController();
    const work = deferred();
    let signal!: AbortSignal;
    const { fn, serve } = serving(async (request) => {
      signal = request.signal;
      await work.promise;
      return new Response("done");
    });
    const first = serve(request({ signal: client.signal }));
    await vi.waitFor(() => expect(fn).toHaveBeenCalled());

    client.abort();
    work.resolve();
    await first;

    expect(signal.aborted).toBe(false);
    expect(await (await serve(request())).text()).toBe("done");
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it("ends work without a key", async () => {
    const client = new AbortController();
    const { serve } = serving((request) => {
      client.abort();
      return new Response(String(request.signal.aborted));
    });

    expect(await (await serve(request({ key: "", signal: client.signal }))).text()).toBe("true");
  });
});

describe("a request's deadline", () => {
  it.each([{ "grpc-timeout": "0m" }, { "x-envoy-expected-rq-timeout-ms": "0" }])(
    "is answered with 504 where nothing is left of it, and the handler is not called: %j",
    async (headers) => {
      const { fn, serve } = serving(() => new Response());
      for (const key of ["k1", ""]) {
        const response = await serve(request({ key, headers: headers as Record<string, string> }));
        expect(await problem(response)).toMatchObject({ status: 504, code: "ERR_DEADLINE" });
      }
      expect(fn).not.toHaveBeenCalled();
    },
  );
});

describe("a store that fails", () => {
  const down = new Error("down");

  it("at claiming is answered with 503, which may be tried again; nothing has happened", async () => {
    const told: unknown[] = [];
    const store: IdempotencyStore = { ...memoryIdempotencyStore(), claim: () => Promise.reject(down) };
    const { fn, serve } = serving(() => new Response(), { store, onStoreError: (error) => void told.push(error) });

    const response = await serve(request());

    expect([response.headers.get("retry-after"), response.headers.get("x-should-retry")]).toEqual(["1", null]);
    expect(await problem(response)).toMatchObject({ status: 503, code: "ERR_IDEMPOTENCY_STORE" });
    expect(fn).not.toHaveBeenCalled();
    expect(told).toEqual([down]);
  });

  it("at recording does not keep the right answer from the client", async () => {
    const told: unknown[] = [];
    const store: IdempotencyStore = { ...memoryIdempotencyStore(), record: async () => false };
    const { serve } = serving(() => new Response("done"), { store, onStoreError: (error) => void told.push(error) });

    expect(await (await serve(request())).text()).toBe("done");
    expect(told).toEqual([expect.objectContaining({ code: "ERR_IDEMPOTENCY_RECORD" })]);
  });
});

describe("maxRun", () => {
  it("answers with 504, and a later result is sent to whoever comes again", async () => {
    const clock = virtualClock();
    const work = deferred<Response>();
    const store = memoryIdempotencyStore({ clock });
    const { fn, serve } = serving(() => work.promise, { clock, store, maxRun: 100 });
    const first = serve(request());
    await vi.waitFor(() => expect(fn).toHaveBeenCalled());
    await clock.advance(100);

    expect(await problem(await first)).toMatchObject({ status: 504, code: "ERR_IDEMPOTENCY_TIMEOUT" });
    expect(await problem(await serve(request()))).toMatchObject({ status: 409, code: "ERR_IDEMPOTENCY_UNDECIDED" });
    work.resolve(new Response("done"));
    await vi.waitFor(async () => expect(await (await serve(request())).text()).toBe("done"));
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

describe("idempotentHandler refuses at once", () => {
  const options = { name: "test", store: memoryIdempotencyStore(), scope: "public" };

  it("a number for a scope, with a TypeError", () => {
    expect(() => idempotentHandler(() => new Response(), { ...options, scope: 5 } as never)).toThrow(
      new TypeError(
        'idempotentHandler: scope must be a function of the request that returns whose key it is, or "public", got 5',
      ),
    );
  });

  it.each<[string, object, string]>([
    [
      "no scope",
      { ...options, scope: undefined },
      'scope must be a function of the request that returns whose key it is, or "public"',
    ],
    [
      "another word for a scope",
      { ...options, scope: "all" },
      'scope must be a function of the request that returns whose key it is, or "public", got "all"',
    ],
    ["no store", { ...options, store: undefined }, "store must be an IdempotencyStore, got undefined"],
    ["an unknown option", { ...options, ttl: 1 }, 'there is no option "ttl"'],
    ["methods in lower case", { ...options, methods: ["post"] }, "methods must be a list of methods"],
    ["a maxBody of 0", { ...options, maxBody: 0 }, "maxBody must be a whole number from 1"],
    ["a transaction that is none", { ...options, transaction: {} }, "transaction must be a pool with a method connect"],
    [
      "a transaction of another store",
      { ...options, transaction: { connect() {} } },
      "store must be one that can be within a transaction",
    ],
  ])("%s", (_what, given, why) => {
    expect(() => idempotentHandler(() => new Response(), given as never)).toThrow(`idempotentHandler: ${why}`);
  });

  it("what idempotent refuses", () => {
    expect(() => idempotentHandler(() => new Response(), { ...options, name: "a b" } as never)).toThrow(
      "name must be 1 to 64",
    );
    expect(() => idempotentHandler(() => new Response(), { ...options, lease: 0 } as never)).toThrow("lease must be");
    expect(() => idempotentHandler("no" as never, options as never)).toThrow(
      "idempotentHandler: handler must be a function",
    );
  });
});
