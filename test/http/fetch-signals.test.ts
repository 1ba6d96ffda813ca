import { getEventListeners } from "node:events";
import { bulkhead, waitFixed, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { hanging, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";
const reason = new Error("the user left");
const never = () => new Promise<never>(() => {});
const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

/** Ways to hand a signal to a call. */
const ways: readonly [string, (signal: AbortSignal, options: RetryFetchOptions) => Promise<Response>][] = [
  ["init.signal", (signal, options) => retryFetch(options)(A, { signal })],
  ["the signal of a Request", (signal, options) => retryFetch(options)(new Request(A, { signal }))],
  ["the policy's signal", (signal, options) => retryFetch({ ...options, signal })(A)],
  ["a signal given to with()", (signal, options) => retryFetch(options).with({ signal })(A)],
  [
    "the signal of a Request beside init's",
    (signal, options) => retryFetch(options)(new Request(A, { signal }), { signal: new AbortController().signal }),
  ],
  [
    "init.signal beside that of a Request",
    (signal, options) => retryFetch(options)(new Request(A, { signal: new AbortController().signal }), { signal }),
  ],
  [
    "the policy's signal beside init's",
    (signal, options) => retryFetch({ ...options, signal })(A, { signal: new AbortController().signal }),
  ],
  [
    "the policy's signal beside one given to with()",
    (signal, options) => retryFetch({ ...options, signal }).with({ signal: new AbortController().signal })(A),
  ],
];

describe.each(ways)("%s", (_, call) => {
  it("rejects a call at once with its reason, and aborts the request", async () => {
    const controller = new AbortController();
    const { fetch, signals } = hanging();
    const answer = call(controller.signal, { fetch });
    answer.catch(() => {});
    await othersRun();

    controller.abort(reason);

    await expect(answer).rejects.toBe(reason);
    expect(signals.map((signal) => signal.reason)).toEqual([reason]);
  });

  it("lets no request be sent where it was aborted before", async () => {
    const server = flaky([]);

    await expect(call(AbortSignal.abort(reason), { fetch: server })).rejects.toBe(reason);

    expect(server).not.toHaveBeenCalled();
  });

  it("ends a sleep", async () => {
    const controller = new AbortController();
    const clock = virtualClock();
    const answer = call(controller.signal, { fetch: flaky([status(503)]), wait: waitFixed(1_000), clock });
    answer.catch(() => {});
    await clock.advance(500);

    controller.abort(reason);

    await expect(answer).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  it("reaches the body once the headers are there", async () => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const fetch = async (_input: any, init?: RequestInit) => {
      signals.push(init!.signal!);
      return new Response(silentBody().stream);
    };
    const response = await call(controller.signal, { fetch });

    controller.abort(reason);

    expect(signals[0]!.reason).toBe(reason);
    expect(response.body).toBeDefined();
  });
});

describe("an abort", () => {
  it.each<[string, RetryFetchOptions]>([
    ["onAttempt", { onAttempt: never }],
    ["prepare", { prepare: never }],
    ["retryIf", { retryIf: never }],
    ["onRetry", { onRetry: never }],
    ["onGiveUp", { onGiveUp: never, stop: () => true }],
    ["fallback", { fallback: never, stop: () => true }],
    ["a budget", { budget: { acquire: never, recordSuccess() {}, refund() {}, balance: 1 } }],
  ])("ends a call that waits for %s", async (_, options) => {
    const controller = new AbortController();
    const call = retryFetch({ fetch: flaky([status(503)]), ...options })(A, { signal: controller.signal });
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(listeners(controller.signal)).toBe(0);
  });

  it("ends a call that waits for the body that a function makes, which is then not sent", async () => {
    const controller = new AbortController();
    const server = flaky([]);
    let make!: (body: string) => void;
    const body = () => new Promise((resolve) => (make = resolve));
    const call = retryFetch({ fetch: server })(A, { method: "PUT", body, signal: controller.signal });
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);
    make("text");
    await othersRun();

    await expect(call).rejects.toBe(reason);
    expect(server).not.toHaveBeenCalled();
  });

  it("ends a call that waits for a slot of a bulkhead, and takes it out of the queue", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(never);
    const server = flaky([]);
    const call = retryFetch({ fetch: server, bulkhead: slots })(A, { signal: controller.signal });
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(slots.queued).toBe(0);
    expect(server).not.toHaveBeenCalled();
  });

  it("is told to onGiveUp, and not to fallback", async () => {
    const controller = new AbortController();
    const reasons: string[] = [];
    const errors: unknown[] = [];
    const api = retryFetch({
      fetch: hanging().fetch,
      onHookError: (error) => errors.push(error),
      onGiveUp: ({ reason }) => reasons.push(reason),
      fallback: () => expect.fail("asked"),
    });
    const call = api(A, { signal: controller.signal });
    call.catch(() => {});

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(reasons).toEqual(["aborted"]);
    expect(errors).toEqual([]);
  });
});

describe("a request", () => {
  it("comes without a signal where nothing can abort it", async () => {
    const server = flaky([status(200)]);

    await retryFetch({ fetch: server })(A);

    expect(server.calls).toEqual([[A]]);
  });

  it.each([null, undefined])("may have %s for its signal", async (signal) => {
    expect((await retryFetch({ fetch: flaky([status(200)]) })(A, { signal: signal as null })).status).toBe(200);
  });

  it("rejects a signal that is none", async () => {
    await expect(retryFetch({ fetch: flaky([]) })(A, { signal: {} as never })).rejects.toThrow(
      new TypeError("retryFetch: init.signal must be an AbortSignal, got [object Object]"),
    );
  });
});

describe("no listener is left on a signal", () => {
  it.each<[string, readonly unknown[]]>([
    ["by a response without a body", [status(200)]],
    ["by an error", [new Error("broken")]],
    ["by responses that were read away", [new Response("text", { status: 503 }), status(200)]],
    ["by 4 failures without a body", [503, 503, 503, 503].map((code) => status(code))],
  ])("%s", async (_, script) => {
    const { signal } = new AbortController();

    await retryFetch({ fetch: flaky(script), wait: waitNone })(A, { signal }).catch(() => {});
    await othersRun();

    expect(listeners(signal)).toBe(0);
  });

  it("by a response that a fallback takes the place of", async () => {
    const { signal } = new AbortController();
    const options = { fetch: flaky([status(503, {}, "text")]), stop: () => true, fallback: () => status(200) };

    await retryFetch(options)(A, { signal });

    expect(listeners(signal)).toBe(0);
  });

  it("but one by many responses that may still be read", async () => {
    const { signal } = new AbortController();
    const api = retryFetch({ fetch: async (_: string) => new Response("text"), signal });

    const responses = await Promise.all(Array.from({ length: 100 }, () => api(A)));

    expect(listeners(signal)).toBe(1);
    expect(responses).toHaveLength(100);
  });
});
