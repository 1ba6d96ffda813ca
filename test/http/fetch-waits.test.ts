import { stopAfterAttempt, waitFixed } from "undaunted";
import { retryIfResponse } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { delays, networkError, status } from "./fetching.js";

describe("without a hint", () => {
  it.each([
    ["a 429", status(429)],
    ["a 503", status(503)],
    ["a 408", status(408)],
    ["a 504", status(504)],
    ["a timeout of the headers", networkError("UND_ERR_HEADERS_TIMEOUT")],
    ["a timeout of the connection", networkError("UND_ERR_CONNECT_TIMEOUT")],
    ["a timeout of the socket", networkError("ETIMEDOUT")],
    ["a timeout of an older client", networkError("ESOCKETTIMEDOUT")],
    ["a connection that was given up", networkError("ECONNABORTED")],
    ["a timeout of a signal's", new DOMException("timed out", "TimeoutError")],
  ])("waits from a base of 1,000 ms after %s", async (_, answer) => {
    expect(await delays([{ ok: answer instanceof Response, value: answer, error: answer }])).toEqual([500]);
  });

  it("waits from a base of 1,000 ms after an attempt that timed out", async () => {
    expect(await delays([() => new Promise(() => {})], { attemptTimeout: 50 })).toEqual([500]);
  });

  it.each([
    ["a 425", status(425)],
    ["a 500", status(500)],
    ["a 502", status(502)],
    ["a reset", networkError("ECONNRESET")],
    ["a refused connection", networkError("ECONNREFUSED")],
  ])("waits from a base of 500 ms after %s", async (_, answer) => {
    expect(await delays([answer])).toEqual([250]);
  });

  it("doubles the wait with every attempt", async () => {
    const stop = stopAfterAttempt(9);

    expect(await delays([500, 500, 500].map((code) => status(code)))).toEqual([250, 500, 1_000]);
    expect(await delays([503, 503, 503].map((code) => status(code)))).toEqual([500, 1_000, 2_000]);
    expect(
      await delays(
        [503, 500, 503, 500].map((code) => status(code)),
        { stop },
      ),
    ).toEqual([500, 500, 2_000, 2_000]);
  });

  it("never waits for longer than 20 s", async () => {
    const stop = stopAfterAttempt(9);
    const [last] = [503, 500].map((code) =>
      delays(
        Array.from({ length: 8 }, () => status(code)),
        { stop },
      ),
    );

    expect((await last!).at(-1)).toBe(10_000);
  });

  it("goes by a wait of the policy's own, after a 429 too", async () => {
    expect(await delays([status(429)], { wait: waitFixed(7) })).toEqual([7]);
  });

  it("waits from 500 ms for a value that is not wanted yet", async () => {
    const retryIf = retryIfResponse(() => true);
    const answers = [status(200)];

    expect(await delays(answers, { retryIf, stop: stopAfterAttempt(2) })).toEqual([250]);
  });
});
