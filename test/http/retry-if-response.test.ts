import {
  AttemptTimeoutError,
  BulkheadFullError,
  RetryExhaustedError,
  retry,
  retryIfAny,
  retryIfNot,
  stopAfterAttempt,
  waitNone,
} from "undaunted";
import { HttpStatusError, peekText, retryFetch, retryIfHttpFailure, retryIfResponse } from "undaunted/http";
import { flaky, retryState } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, networkError, status } from "./fetching.js";

const A = "https://example.com/";
const busy = (code = 200) => status(code, { "x-state": "busy" }, "busy");
const isBusy = ({ headers }: Response) => headers.get("x-state") === "busy";

describe("retryIfResponse", () => {
  it.each([200, 404, 503])("retries a response of status %i that passes the test", async (code) => {
    const server = flaky([busy(code), status(200)]);

    const response = await retryFetch({ fetch: server, retryIf: retryIfResponse(isBusy), wait: waitNone })(A);

    expect(response.headers.has("x-state")).toBe(false);
  });

  it("takes the place of the usual conditions where it stands alone", async () => {
    const server = flaky([status(503)]);

    const response = await retryFetch({ fetch: server, retryIf: retryIfResponse(isBusy), wait: waitNone })(A);

    expect(response.status).toBe(503);
  });

  it("joins the usual conditions in retryIfAny", async () => {
    const server = flaky([status(503), busy(), networkError("ECONNRESET"), status(200)]);
    const retryIf = retryIfAny(retryIfHttpFailure, retryIfResponse(isBusy));

    const response = await retryFetch({ fetch: server, retryIf, wait: waitNone })(A);

    expect(response.headers.has("x-state")).toBe(false);
    expect(server).toHaveBeenCalledTimes(4);
  });

  it("may answer later", async () => {
    const retryIf = retryIfResponse(async (response) => (await peekText(response)) === "busy");

    const response = await retryFetch({ fetch: flaky([busy(), new Response("done")]), retryIf, wait: waitNone })(A);

    expect(await response.text()).toBe("done");
  });

  it("leaves the last response to be read where it passes the test too", async () => {
    const retryIf = retryIfResponse(async (response) => (await peekText(response)) === "busy");
    const options = { retryIf, wait: waitNone, stop: stopAfterAttempt(2) };

    const response = await retryFetch({ fetch: flaky([busy(), busy()]), ...options })(A);

    expect(await response.text()).toBe("busy");
  });

  it("ends in a RetryExhaustedError there, with throwOnFailure", async () => {
    const options = { retryIf: retryIfResponse(isBusy), stop: stopAfterAttempt(1), throwOnFailure: true };

    await expect(retryFetch({ fetch: flaky([busy()]), ...options })(A)).rejects.toBeInstanceOf(RetryExhaustedError);
  });

  it("is not asked about an error that has no response", async () => {
    const reset = networkError("ECONNRESET");
    const retryIf = retryIfResponse(() => expect.fail("asked"));

    await expect(retryFetch({ fetch: flaky([reset]), retryIf })(A)).rejects.toBe(reset);
  });

  it("looks at values, so retryIfNot refuses it", () => {
    expect(() => retryIfNot(retryIfResponse(isBusy) as never)).toThrow("retryIfNot: predicate must not look at values");
  });

  it("is asked outside of a client about a value, and about an error that has a response", () => {
    const retryIf = retryIfResponse(isBusy);
    const error = new HttpStatusError("GET", A, busy(503));

    expect(retryIf(undefined, retryState({ outcome: { ok: true, value: busy() } }))).toBe(true);
    expect(retryIf(undefined, retryState({ outcome: { ok: true, value: status(200) } }))).toBe(false);
    expect(retryIf(error, retryState({ outcome: { ok: false, error } }))).toBe(true);
    expect(retryIf("broken", retryState({ outcome: { ok: false, error: "broken" } }))).toBe(false);
  });

  it("is a StrategyError where the test throws", async () => {
    const cause = new Error("broken");
    const retryIf = retryIfResponse(() => {
      throw cause;
    });

    await expect(retryFetch({ fetch: flaky([busy()]), retryIf })(A)).rejects.toMatchObject({
      name: "StrategyError",
      strategy: "retryIf",
      cause,
    });
  });

  it("refuses a test that is no function", () => {
    expect(() => retryIfResponse("busy" as never)).toThrow(
      new TypeError('retryIfResponse: test must be a function, got "busy"'),
    );
  });
});

describe("retryIfHttpFailure outside of a client", () => {
  const wants = (error: unknown) => retryIfHttpFailure(error);

  it("goes by the status that an error has", () => {
    expect([503, 429, 404, 501].map((code) => wants({ status: code }))).toEqual([true, true, false, false]);
    expect(wants({ response: { status: 502 } })).toBe(true);
    expect(wants({ status: 400, code: "ECONNRESET" })).toBe(false);
  });

  it("goes by the network where the status is none, or none of a failure", () => {
    expect(wants({ status: "down", code: "ECONNRESET" })).toBe(true);
    expect(wants({ status: 200, code: "ECONNRESET" })).toBe(true);
  });

  it("goes by the network, and by timeouts", () => {
    expect(wants(networkError("ECONNRESET"))).toBe(true);
    expect(wants(new AttemptTimeoutError(5, 1))).toBe(true);
    expect(wants(new BulkheadFullError("full"))).toBe(true);
    expect(wants(new Error("broken"))).toBe(false);
    expect(wants(new DOMException("aborted", "AbortError"))).toBe(false);
  });

  it("wants no value again", async () => {
    const unavailable = status(503);

    expect(await retry(async () => unavailable, { retryIf: retryIfHttpFailure })()).toBe(unavailable);
  });
});

describe("peekText", () => {
  it("answers the text and leaves the response to be read", async () => {
    const response = new Response("zwei £");

    expect(await peekText(response)).toBe("zwei £");
    expect(await response.text()).toBe("zwei £");
  });

  it("answers the text of a body that comes in pieces, cut anywhere", async () => {
    const bytes = new TextEncoder().encode("£€");
    const stream = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });

    expect(await peekText(new Response(stream))).toBe("£€");
  });

  it("shows where the text ends in half a character, as text() does", async () => {
    expect(await peekText(new Response(Uint8Array.of(65, 0xc2)))).toBe("A\ufffd");
  });

  it("answers the empty text where there is no body", async () => {
    expect(await peekText(status(204))).toBe("");
    expect(await peekText(new Response(""))).toBe("");
  });

  it("answers undefined past 64 kB, and reads no further", async () => {
    const { stream, seen } = endlessBody(1_024);

    expect(await peekText(new Response(stream))).toBeUndefined();

    expect(seen.pulled).toBeLessThanOrEqual(66 * 1_024);
  });

  it("leaves a response to be read of which there was too much", async () => {
    const response = new Response("too much");

    expect(await peekText(response, 7)).toBeUndefined();
    expect(await response.text()).toBe("too much");
  });

  it("counts bytes, up to maxBytes", async () => {
    expect(await peekText(new Response("££"), 4)).toBe("££");
    expect(await peekText(new Response("££"), 3)).toBeUndefined();
  });

  it("reads nothing where the response says that it is longer", async () => {
    const { stream, seen } = endlessBody();
    const response = new Response(stream, { headers: { "content-length": "65537" } });

    expect(await peekText(response)).toBeUndefined();
    expect(seen.pulled).toBe(0);
  });

  it("reads a response that says that it is as long as allowed", async () => {
    expect(await peekText(new Response("four", { headers: { "content-length": "4" } }), 4)).toBe("four");
  });

  it.each(["text/event-stream", "text/event-stream;charset=utf-8", "Text/Event-Stream"])(
    "reads nothing of a stream of events: %s",
    async (type) => {
      const { stream, seen } = endlessBody();

      expect(await peekText(new Response(stream, { headers: { "content-type": type } }))).toBeUndefined();
      expect(seen.pulled).toBe(0);
    },
  );

  it("rejects where the body was read before", async () => {
    const response = new Response("text");
    await response.text();

    await expect(peekText(response)).rejects.toBeInstanceOf(TypeError);
  });

  it("rejects as reading does", async () => {
    const error = new Error("reset");
    const stream = new ReadableStream({ pull: () => Promise.reject(error) });

    await expect(peekText(new Response(stream))).rejects.toBe(error);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])("refuses a maxBytes of %d", async (maxBytes) => {
    await expect(peekText(new Response(""), maxBytes)).rejects.toThrow(
      new RangeError(`peekText: maxBytes must be a whole number from 1, got ${maxBytes}`),
    );
  });
});
