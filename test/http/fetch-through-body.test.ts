import { bulkhead, stopAfterAttempt, waitNone } from "undaunted";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, networkError, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";

/** A body that breaks off after one piece. */
const cut = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("part"));
    },
    pull(controller) {
      controller.error(new TypeError("terminated", { cause: networkError("ECONNRESET").cause }));
    },
  });

const client = (script: readonly unknown[], options: RetryFetchOptions = {}) =>
  retryFetch({ fetch: flaky<Promise<Response>>(script), throughBody: true, wait: waitNone, ...options });

describe("throughBody", () => {
  it("retries a body that breaks off", async () => {
    const response = await client([new Response(cut()), new Response("whole")])(A);

    expect(await response.text()).toBe("whole");
  });

  it("does not send a POST again whose body broke off: it was executed", async () => {
    const server = flaky([new Response(cut())]);
    const api = retryFetch({ fetch: server, throughBody: true, wait: waitNone });

    await expect(api(A, { method: "POST", body: "x" })).rejects.toThrow("terminated");

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("hands on the response itself, which can be read and copied as ever", async () => {
    const given = new Response("whole", { headers: { "x-a": "1" } });

    const response = await client([given])(A);

    expect(response).toBe(given);
    expect([await response.clone().text(), await response.text()]).toEqual(["whole", "whole"]);
  });

  it("counts the time of the body into the attempt's", async () => {
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    const call = client([new Response(stream), new Response("whole")], { clock, attemptTimeout: 100 })(A);

    await clock.advance(100);

    expect(await (await call).text()).toBe("whole");
    expect(seen.cancelled).toBe(true);
  });

  it("counts the time of the body into the call's", async () => {
    const clock = virtualClock();
    const call = client([new Response(silentBody().stream)], { clock, totalTimeout: 100 })(A);
    call.catch(() => {});

    await clock.advance(100);

    await expect(call).rejects.toMatchObject({ name: "TotalTimeoutError" });
  });

  it("gives a bulkhead's slot back with the end of the body", async () => {
    let end = () => {};
    const stream = new ReadableStream({
      start(controller) {
        end = () => controller.close();
      },
    });
    const slots = bulkhead({ limit: 1 });
    const api = client([new Response(stream), status(200)], { bulkhead: slots, stop: stopAfterAttempt(1) });

    const first = api(A);
    await othersRun();
    await expect(api(A)).rejects.toMatchObject({ code: "ERR_BULKHEAD_FULL" });
    end();

    expect((await first).status).toBe(200);
  });

  it.each([
    ["a body whose length says that it is longer", { "content-length": "11" }],
    ["a stream of events", { "content-type": "text/event-stream; charset=utf-8" }],
  ])("lets %s flow on at once", async (_, headers) => {
    const { stream } = silentBody();

    const response = await client([new Response(stream, { headers })], { throughBody: { maxBytes: 10 } })(A);

    expect(response.bodyUsed).toBe(false);
  });

  it("lets a body flow on that turns out to be longer, with all of its bytes", async () => {
    const body = "x".repeat(5_000);
    const chunks = new ReadableStream({
      start(controller) {
        for (let at = 0; at < body.length; at += 100) {
          controller.enqueue(new TextEncoder().encode(body.slice(at, at + 100)));
        }
        controller.close();
      },
    });

    const response = await client([new Response(chunks)], { throughBody: { maxBytes: 1_000 } })(A);

    expect(await response.text()).toBe(body);
  });

  it("ends what flows on when the total time is up", async () => {
    const clock = virtualClock();
    const signals: AbortSignal[] = [];
    const fetch = async (_: unknown, init?: RequestInit) => {
      signals.push(init!.signal!);
      return new Response(endlessBody().stream);
    };
    const options = { clock, attemptTimeout: 50, totalTimeout: 100, throughBody: { maxBytes: 10 } };

    const response = await retryFetch({ fetch: fetch as typeof globalThis.fetch, ...options })(A);
    await clock.advance(99);
    expect(signals[0]!.aborted).toBe(false);
    await clock.advance(1);

    expect(signals[0]!.reason).toMatchObject({ name: "TotalTimeoutError", timeout: 100 });
    expect(response.status).toBe(200);
  });

  it.each([
    [{ maxBytes: 0 }, "retryFetch.throughBody: maxBytes must be a whole number from 1, got 0"],
    [{ max: 1 }, 'retryFetch.throughBody: there is no option "max"; allowed are maxBytes'],
    ["yes", 'retryFetch: throughBody must be true, false or { maxBytes }, got "yes"'],
  ])("refuses %j", (throughBody, message) => {
    expect(() => retryFetch({ throughBody: throughBody as never })).toThrow(message);
  });
});
