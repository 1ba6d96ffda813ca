import { retryIfResult, waitFixed, waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";

/** A body of so many chunks of so many bytes, and how it was left. */
function finiteBody(chunks: number, bytes: number) {
  const seen = { ended: false, cancelled: false };
  let left = chunks;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (left-- > 0) return controller.enqueue(new Uint8Array(bytes));
        seen.ended = true;
        return controller.close();
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** A response with this body, and a status that is retried. */
const failed = (body: BodyInit, headers = {}) => status(503, headers, body);

describe("a response that is followed by another attempt", () => {
  it("is read to its end, so that its connection can be used again", async () => {
    const { stream, seen } = finiteBody(3, 100);

    await retryFetch({ fetch: flaky([failed(stream), status(200)]), wait: waitNone })(A);

    expect(seen).toEqual({ ended: true, cancelled: false });
  });

  it("is read before the next attempt begins", async () => {
    const { stream, seen } = finiteBody(3, 100);
    const ended: boolean[] = [];
    const second = () => {
      ended.push(seen.ended);
      return status(200);
    };

    await retryFetch({ fetch: flaky([failed(stream), second]), wait: waitNone })(A);

    expect(ended).toEqual([true]);
  });

  it("is read to its end where it has 64 kB", async () => {
    const { stream, seen } = finiteBody(64, 1_024);

    await retryFetch({ fetch: flaky([failed(stream), status(200)]), wait: waitNone })(A);

    expect(seen).toEqual({ ended: true, cancelled: false });
  });

  it("is cancelled past 64 kB", async () => {
    const { stream, seen } = endlessBody(1_024);

    await retryFetch({ fetch: flaky([failed(stream), status(200)]), wait: waitNone })(A);

    expect(seen).toEqual({ pulled: 65 * 1_024, cancelled: true });
  });

  it("is not read at all where it says that it is longer", async () => {
    const { stream, seen } = endlessBody();
    const response = failed(stream, { "content-length": "65537" });

    await retryFetch({ fetch: flaky([response, status(200)]), wait: waitNone })(A);

    expect(seen).toEqual({ pulled: 0, cancelled: true });
  });

  it("is read where it says that it has 64 kB", async () => {
    const { stream, seen } = finiteBody(64, 1_024);
    const response = failed(stream, { "content-length": "65536" });

    await retryFetch({ fetch: flaky([response, status(200)]), wait: waitNone })(A);

    expect(seen.ended).toBe(true);
  });

  it("is cancelled after 100 ms on the policy's clock", async () => {
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    const server = flaky([failed(stream), status(200)]);
    const call = retryFetch({ fetch: server, clock, wait: waitNone })(A);

    await clock.advance(99);
    const before = { ...seen, calls: server.calls.length };
    await clock.advance(1);

    expect(before).toEqual({ cancelled: false, calls: 1 });
    expect(seen.cancelled).toBe(true);
    expect((await call).status).toBe(200);
  });

  it("does not keep the process alive for that", async () => {
    const clock = virtualClock();
    const timers: unknown[][] = [];
    const setTimer: typeof clock.setTimer = (fn, ms, unref) => {
      timers.push([ms, unref]);
      return clock.setTimer(fn, ms);
    };
    const api = retryFetch({
      fetch: flaky([failed("text"), status(200)]),
      clock: { ...clock, setTimer },
      wait: waitFixed(5),
    });
    const call = api(A);
    await clock.runAll();
    await call;

    expect(timers).toContainEqual([100, true]);
    expect(clock.pending).toBe(0);
  });

  it("is read while the call sleeps", async () => {
    const clock = virtualClock();
    const { stream, seen } = finiteBody(3, 100);
    const server = flaky([failed(stream), status(200)]);
    const call = retryFetch({ fetch: server, clock, wait: waitFixed(1_000) })(A);

    await clock.advance(0);
    const endedAtOnce = seen.ended;
    await clock.advance(1_000);
    await call;

    expect(endedAtOnce).toBe(true);
  });

  it("is waited for no longer than the sleep where it is read by then", async () => {
    const clock = virtualClock();
    const server = flaky([failed("text"), status(200)]);
    retryFetch({ fetch: server, clock, wait: waitFixed(50) })(A);

    await clock.advance(50);

    expect(server).toHaveBeenCalledTimes(2);
  });

  it("is left alone where somebody else reads it", async () => {
    const { stream, seen } = endlessBody();
    const response = failed(stream);
    const reader = response.body!.getReader();
    const errors: unknown[] = [];
    const onHookError = (error: unknown) => errors.push(error);

    await retryFetch({ fetch: flaky([response, status(200)]), wait: waitNone, onHookError })(A);

    expect(errors).toEqual([]);
    expect(seen.cancelled).toBe(false);
    expect((await reader.read()).done).toBe(false);
  });

  it("may have no body", async () => {
    const errors: unknown[] = [];
    const onHookError = (error: unknown) => errors.push(error);

    await retryFetch({ fetch: flaky([status(503), status(200)]), wait: waitNone, onHookError })(A);

    expect(errors).toEqual([]);
  });

  it("does no harm where its connection breaks meanwhile", async () => {
    const stream = new ReadableStream({ pull: () => Promise.reject(new Error("reset")) });

    const response = await retryFetch({ fetch: flaky([failed(stream), status(200)]), wait: waitNone })(A);

    expect(response.status).toBe(200);
  });

  it("does no harm where its cancelling fails", async () => {
    const stream = new ReadableStream({ cancel: () => Promise.reject(new Error("reset")) });
    const response = failed(stream, { "content-length": "99999" });

    await retryFetch({ fetch: flaky([response, status(200)]), wait: waitNone })(A);
    await othersRun();

    expect(response.bodyUsed).toBe(true);
  });

  it("can be read by onRetry before that", async () => {
    const texts: string[] = [];
    const api = retryFetch({
      fetch: flaky([failed("busy"), status(200)]),
      wait: waitNone,
      onRetry: async ({ outcome }) => {
        await othersRun();
        if (!outcome.ok) texts.push(await (outcome.error as { response: Response }).response.text());
      },
    });

    await api(A);

    expect(texts).toEqual(["busy"]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ])("is read also where onRetry %s", async (_, onRetry) => {
    const { stream, seen } = finiteBody(1, 1);
    const errors: unknown[] = [];
    const onHookError = (error: unknown) => errors.push(error);

    await retryFetch({ fetch: flaky([failed(stream), status(200)]), wait: waitNone, onRetry, onHookError })(A);

    expect(seen.ended).toBe(true);
    expect(errors).toEqual([new Error("broken")]);
  });

  it("is read where it is no failure but not wanted", async () => {
    const { stream, seen } = finiteBody(1, 1);
    const wanted = status(204);
    const retryIf = retryIfResult((response) => response !== wanted);

    await retryFetch({ fetch: flaky([new Response(stream), wanted]), wait: waitNone, retryIf })(A);

    expect(seen.ended).toBe(true);
  });
});
