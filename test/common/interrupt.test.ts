import { retry, retryNever, waitFixed } from "undaunted";
import { retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { type AbortListener, abortSourceOf, offAbort, onAbort } from "../../src/common/interrupt.js";

/** A signal that counts the listeners on it. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners: unknown[] = [];
  const log: string[] = [];
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: any, options?: any) => {
    log.push(`add ${type}`);
    listeners.push(listener);
    addEventListener.call(signal, type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: any, options?: any) => {
    log.push(`remove ${type}`);
    const index = listeners.indexOf(listener);
    if (index >= 0) listeners.splice(index, 1);
    removeEventListener.call(signal, type, listener, options);
  };
  return { controller, signal, listeners, log };
}

/** A run that notes why it was cut. */
function listener(act: (run: AbortListener) => void = () => {}) {
  const reasons: unknown[] = [];
  const run: AbortListener & { reasons: unknown[] } = {
    reasons,
    cut(reason) {
      reasons.push(reason);
      act(run);
    },
  };
  return run;
}

describe("onAbort", () => {
  it("puts one listener on a signal, however many runs there are", () => {
    const { signal, log } = countedSignal();

    for (let n = 0; n < 1_000; n++) onAbort(abortSourceOf(signal), listener());

    expect(log).toEqual(["add abort"]);
  });

  it("interrupts every run with the signal's reason, in the order in which they came", () => {
    const { controller, signal } = countedSignal();
    const order: string[] = [];
    const runs = ["a", "b", "c"].map((name) => listener(() => order.push(name)));
    for (const run of runs) onAbort(abortSourceOf(signal), run);

    controller.abort("gone");

    expect(runs.map((run) => run.reasons)).toEqual([["gone"], ["gone"], ["gone"]]);
    expect(order).toEqual(["a", "b", "c"]);
  });

  it("interrupts a run that came after the first had left", () => {
    const { controller, signal, log } = countedSignal();
    const order: string[] = [];
    const [first, second, third] = ["a", "b", "c"].map((name) => listener(() => order.push(name)));
    onAbort(abortSourceOf(signal), first!);
    onAbort(abortSourceOf(signal), second!);
    offAbort(abortSourceOf(signal), first!);
    onAbort(abortSourceOf(signal), third!);

    controller.abort("gone");

    expect(order).toEqual(["b", "c"]);
    expect(log).toEqual(["add abort"]);
  });

  it("interrupts the other runs when one leaves while it is interrupted", () => {
    const { controller, signal, listeners } = countedSignal();
    const leave = (run: AbortListener) => offAbort(abortSourceOf(signal), run);
    const runs = [listener(leave), listener(leave), listener(leave)];
    for (const run of runs) onAbort(abortSourceOf(signal), run);

    controller.abort("gone");

    expect(runs.map((run) => run.reasons.length)).toEqual([1, 1, 1]);
    expect(listeners).toHaveLength(0);
  });

  it("leaves alone a run that another one took off before its turn", () => {
    const { controller, signal } = countedSignal();
    const second = listener();
    const first = listener(() => offAbort(abortSourceOf(signal), second));
    onAbort(abortSourceOf(signal), first);
    onAbort(abortSourceOf(signal), second);

    controller.abort("gone");

    expect(second.reasons).toEqual([]);
  });

  it("counts a run that comes twice once", () => {
    const { controller, signal, listeners } = countedSignal();
    const run = listener();
    onAbort(abortSourceOf(signal), run);
    onAbort(abortSourceOf(signal), run);

    controller.abort("gone");
    offAbort(abortSourceOf(signal), run);

    expect(run.reasons).toHaveLength(1);
    expect(listeners).toHaveLength(0);
  });

  it("keeps signals apart", () => {
    const one = countedSignal();
    const other = countedSignal();
    const run = listener();
    const bystander = listener();
    onAbort(abortSourceOf(one.signal), run);
    onAbort(abortSourceOf(other.signal), bystander);

    one.controller.abort("gone");

    expect(run.reasons).toEqual(["gone"]);
    expect(bystander.reasons).toEqual([]);
  });
});

describe("offAbort", () => {
  it("keeps the listener while a run is left", () => {
    const { controller, signal, listeners } = countedSignal();
    const [first, second] = [listener(), listener()];
    onAbort(abortSourceOf(signal), first);
    onAbort(abortSourceOf(signal), second);

    offAbort(abortSourceOf(signal), first);
    expect(listeners).toHaveLength(1);
    controller.abort("gone");

    expect(first.reasons).toEqual([]);
    expect(second.reasons).toEqual(["gone"]);
  });

  it("takes the listener off when the last run leaves", () => {
    const { signal, log } = countedSignal();
    const [first, second] = [listener(), listener()];
    onAbort(abortSourceOf(signal), first);
    onAbort(abortSourceOf(signal), second);

    offAbort(abortSourceOf(signal), first);
    offAbort(abortSourceOf(signal), second);

    expect(log).toEqual(["add abort", "remove abort"]);
  });

  it("changes nothing for a run that was not added", () => {
    const { controller, signal, listeners } = countedSignal();
    const run = listener();
    onAbort(abortSourceOf(signal), run);

    offAbort(abortSourceOf(signal), listener());
    expect(listeners).toHaveLength(1);
    controller.abort("gone");

    expect(run.reasons).toEqual(["gone"]);
  });

  it("changes nothing on a signal without a run", () => {
    const { signal, log } = countedSignal();

    offAbort(abortSourceOf(signal), listener());

    expect(log).toEqual([]);
  });

  it("lets a signal be listened to again after the last run left", () => {
    const { controller, signal, listeners } = countedSignal();
    const [first, second] = [listener(), listener()];
    onAbort(abortSourceOf(signal), first);
    offAbort(abortSourceOf(signal), first);

    onAbort(abortSourceOf(signal), second);
    expect(listeners).toHaveLength(1);
    controller.abort("gone");

    expect(first.reasons).toEqual([]);
    expect(second.reasons).toEqual(["gone"]);
  });
});

describe("a thousand sleeping calls on one signal", () => {
  it("calls that sleep on one signal share one listener, and leave none when they are aborted", async () => {
    const { controller, signal, listeners } = countedSignal();
    const clock = virtualClock();
    const busy = new Error("busy");
    const results = Array.from({ length: 1_000 }, () =>
      retry(flaky([busy, "ok"]), { wait: waitFixed(100), signal, clock })().catch((error: unknown) => error),
    );
    await clock.advance(50);
    expect([listeners.length, clock.pending]).toEqual([1, 1_000]);

    controller.abort("gone");

    expect(new Set(await Promise.all(results))).toEqual(new Set(["gone"]));
    expect([listeners.length, clock.pending]).toEqual([0, 0]);
  });

  it("calls that sleep on one signal leave no listener when they succeed", async () => {
    const { signal, listeners, log } = countedSignal();
    const clock = virtualClock();
    const results = Array.from({ length: 1_000 }, () =>
      retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(100), signal, clock })(),
    );

    await clock.runAll();
    await Promise.all(results);

    expect(listeners).toHaveLength(0);
    expect(log).toEqual(["add abort", "remove abort"]);
  });
});

it("a request lets go of its own signal also without a look at responses and without a budget", async () => {
  const { controller, signal, listeners, log } = countedSignal();
  const clock = virtualClock();
  const slow = () =>
    new Promise<Response>((resolve) => {
      clock.setTimer(() => resolve(new Response()), 100);
    });
  const send = retryFetch({ fetch: slow, retryIf: retryNever, budget: false, clock });

  const result = send("https://example.com", { signal });
  await clock.advance(100);

  expect((await result).status).toBe(200);
  expect(log).toContain("add abort");
  expect(listeners).toEqual([]);
  controller.abort();
  expect(send.stats).toMatchObject({ calls: 1, successes: 1, failures: 0 });
});
