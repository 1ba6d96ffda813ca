import { AttemptTimeoutError, TotalTimeoutError, waitFixed } from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { hanging, othersRun, silentBody, status } from "./fetching.js";

const A = "https://example.com/";
const never = () => new Promise<never>(() => {});

describe("attemptTimeout", () => {
  it("aborts the request, and the next attempt follows", async () => {
    const clock = virtualClock();
    const { fetch, signals } = hanging();
    const script = flaky<any>([fetch, status(200)]);
    const call = retryFetch({ fetch: script, attemptTimeout: 50, wait: waitFixed(1), clock })(A);

    await clock.advance(51);

    expect((await call).status).toBe(200);
    expect(signals[0]!.reason).toBeInstanceOf(AttemptTimeoutError);
  });

  it("runs while prepare is waited for", async () => {
    const clock = virtualClock();
    const call = retryFetch({ fetch: flaky([]), prepare: never, attemptTimeout: 50, stop: () => true, clock })(A);
    call.catch(() => {});

    await clock.advance(50);

    await expect(call).rejects.toBeInstanceOf(AttemptTimeoutError);
  });

  it("does not end the reading of the body", async () => {
    const clock = virtualClock();
    const signals: AbortSignal[] = [];
    const fetch = async (_: string, init: RequestInit) => {
      signals.push(init.signal!);
      return new Response(silentBody().stream);
    };
    await retryFetch({ fetch, attemptTimeout: 50, totalTimeout: 100, clock })(A);

    await clock.advance(1_000);

    expect(signals[0]!.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it("has a response that comes later released", async () => {
    const clock = virtualClock();
    const { stream, seen } = silentBody();
    let answer!: (response: Response) => void;
    const late = () => new Promise((resolve) => (answer = resolve));
    const call = retryFetch({ fetch: flaky([late, status(200)]), attemptTimeout: 50, wait: waitFixed(1), clock })(A);
    await clock.advance(51);
    await call;

    answer(new Response(stream));
    await othersRun();

    expect(seen.cancelled).toBe(true);
  });

  it("has a response that comes later handed to onLateResult where there is one", async () => {
    const clock = virtualClock();
    const outcomes: unknown[] = [];
    let answer!: (response: Response) => void;
    const late = () => new Promise((resolve) => (answer = resolve));
    const { stream, seen } = silentBody();
    const response = new Response(stream);
    const api = retryFetch({
      fetch: flaky([late, status(200)]),
      attemptTimeout: 50,
      wait: waitFixed(1),
      clock,
      onLateResult: (outcome) => outcomes.push(outcome),
    });
    const call = api(A);
    await clock.advance(51);
    await call;

    answer(response);
    await othersRun();

    expect(outcomes).toEqual([{ ok: true, value: response }]);
    expect(seen.cancelled).toBe(false);
  });

  it("keeps a failure that comes late from standing in for the last one", async () => {
    const clock = virtualClock();
    let answer!: (response: Response) => void;
    const late = () => new Promise((resolve) => (answer = resolve));
    const last = status(503, { "retry-after": "99999" });
    const onGiveUp = () => {
      answer(status(503));
      return othersRun();
    };
    const call = retryFetch({ fetch: flaky([late, last]), attemptTimeout: 50, wait: waitFixed(1), clock, onGiveUp })(A);

    await clock.advance(51);

    await expect(call).resolves.toBe(last);
  });

  it("lets a call whose attempt was over meanwhile send nothing more", async () => {
    const clock = virtualClock();
    const server = flaky([status(200)]);
    const steps: (() => void)[] = [];
    const prepare = () => new Promise<void>((resolve) => steps.push(resolve));
    const call = retryFetch({ fetch: server, prepare, attemptTimeout: 50, wait: waitFixed(1), clock })(A);
    await clock.advance(51);

    for (const step of steps) step();
    await clock.advance(1);

    expect((await call).status).toBe(200);
    expect(server).toHaveBeenCalledTimes(1);
  });
});

describe("totalTimeout", () => {
  it("aborts the request", async () => {
    const clock = virtualClock();
    const { fetch, signals } = hanging();
    const call = retryFetch({ fetch, totalTimeout: 50, clock })(A);
    call.catch(() => {});

    await clock.advance(50);

    await expect(call).rejects.toBeInstanceOf(TotalTimeoutError);
    expect(signals[0]!.reason).toBeInstanceOf(TotalTimeoutError);
  });
});
