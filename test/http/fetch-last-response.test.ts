import { stopAfterAttempt, waitFixed } from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { endlessBody, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";

/** A response with this body, and a status that is retried. */
const failed = (body: BodyInit) => status(503, {}, body);

describe("a response that ends the call", () => {
  it("is neither read nor cancelled", async () => {
    const { stream, seen } = endlessBody();

    await retryFetch({ fetch: flaky([failed(stream)]), stop: stopAfterAttempt(1) })(A);

    expect(seen).toEqual({ pulled: 0, cancelled: false });
  });

  it("is cancelled where fallback answers another", async () => {
    const { stream, seen } = endlessBody();
    const other = status(200);
    const api = retryFetch({ fetch: flaky([failed(stream)]), stop: stopAfterAttempt(1), fallback: () => other });

    await expect(api(A)).resolves.toBe(other);

    expect(seen.cancelled).toBe(true);
  });

  it("is cancelled where fallback answers another later", async () => {
    const { stream, seen } = endlessBody();
    const fallback = async () => {
      await othersRun();
      return status(200);
    };

    await retryFetch({ fetch: flaky([failed(stream)]), stop: stopAfterAttempt(1), fallback })(A);

    expect(seen.cancelled).toBe(true);
  });

  it.each([undefined, null, "cached"])("is cancelled where fallback answers no response but %s", async (answer) => {
    const { stream, seen } = endlessBody();
    const options = { fetch: flaky([failed(stream)]), stop: stopAfterAttempt(1), fallback: () => answer as never };

    await expect(retryFetch(options)(A)).resolves.toBe(answer);

    expect(seen.cancelled).toBe(true);
  });

  it.each([
    ["at once", (response: Response) => response],
    ["later", async (response: Response) => response],
    ["in another response", (response: Response) => new Response(response.body)],
    ["read", async (response: Response) => new Response(await response.text())],
  ])("can be read where fallback hands it on: %s", async (_, handOn) => {
    const fallback = ({ outcome }: { outcome: any }) => handOn(outcome.error.response);
    const api = retryFetch({ fetch: flaky([failed("text")]), stop: stopAfterAttempt(1), fallback });

    expect(await (await api(A)).text()).toBe("text");
  });

  it("is cancelled where a deadline ends the call in an error", async () => {
    const { stream, seen } = endlessBody();
    const clock = virtualClock();
    const options = { fetch: flaky([failed(stream)]), clock, totalTimeout: 10, wait: waitFixed(10) };

    await retryFetch({ ...options, throwOnFailure: true })(A).catch(() => {});

    expect(seen.cancelled).toBe(true);
  });

  it("can be read where a deadline ends the call", async () => {
    const options = { fetch: flaky([failed("text")]), clock: virtualClock(), totalTimeout: 10, wait: waitFixed(10) };

    const response = await retryFetch(options)(A);

    expect(await response.text()).toBe("text");
  });
});

describe("an abort cancels the response", () => {
  const reason = new Error("the user left");

  it("while it is drained", async () => {
    const controller = new AbortController();
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    const api = retryFetch({
      fetch: flaky([failed(stream)]),
      clock,
      wait: waitFixed(1_000),
      signal: controller.signal,
    });
    const call = api(A);
    call.catch(() => {});
    await clock.advance(10);

    controller.abort(reason);
    await clock.advance(0);

    await expect(call).rejects.toBe(reason);
    expect(seen.cancelled).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it.each(["onRetry", "retryIf"])("while %s is waited for", async (callback) => {
    const controller = new AbortController();
    const { stream, seen } = silentBody();
    const options = { [callback]: () => new Promise(() => {}), signal: controller.signal };
    const call = retryFetch({ fetch: flaky([failed(stream)]), ...options })(A);
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);
    await othersRun();

    await expect(call).rejects.toBe(reason);
    expect(seen.cancelled).toBe(true);
  });

  it.each(["onGiveUp", "fallback"])("by the signal that it came by, while %s is waited for", async (callback) => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const fetch = async (_: string, init: RequestInit) => {
      signals.push(init.signal!);
      return failed(silentBody().stream);
    };
    const options = { [callback]: () => new Promise(() => {}), signal: controller.signal, stop: stopAfterAttempt(1) };
    const call = retryFetch({ fetch, ...options })(A);
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(signals[0]!.reason).toBe(reason);
  });

  it("that came too late", async () => {
    const controller = new AbortController();
    const { stream, seen } = silentBody();
    let answer!: (response: Response) => void;
    const fetch = (_: string) => new Promise<Response>((resolve) => (answer = resolve));
    const call = retryFetch({ fetch, signal: controller.signal })(A);
    call.catch(() => {});
    await othersRun();

    controller.abort(reason);
    answer(new Response(stream));
    await othersRun();

    expect(seen.cancelled).toBe(true);
  });
});
