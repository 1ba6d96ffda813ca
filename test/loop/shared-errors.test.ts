import { type GiveUpReason, retry, stopAfterAttempt, waitFixed, waitNone } from "undaunted";
import { flaky, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

/** One error for everything that waits, as drivers reject all commands in flight with one object. */
function sharedFailure() {
  const error = new Error("connection lost");
  let reject!: (error: Error) => void;
  const broken = new Promise<never>((_, fail) => {
    reject = fail;
  });
  broken.catch(() => {});
  return { error, broken, breakDown: () => reject(error) };
}

async function later<T>(promise: Promise<T>, awaits: number): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    for (let n = 0; n < awaits; n++) await null;
    throw error;
  }
}

describe("an error that was given to several calls", () => {
  it.each([
    [12, 4],
    [26, 4],
    // A call behind so many awaits could have the error from the one that gave up on it: that is no longer to be told.
    [40, 1],
  ])("leaves a neighbour behind %i awaits its attempts: %i", async (awaits, attempts) => {
    const { error, broken, breakDown } = sharedFailure();
    const reasons: GiveUpReason[] = [];
    let calls = 0;
    const once = retry(() => broken, { stop: stopAfterAttempt(1) });
    const often = retry(
      () => {
        calls++;
        return later(broken, awaits);
      },
      { stop: stopAfterAttempt(4), wait: waitNone, onGiveUp: ({ reason }) => reasons.push(reason) },
    );

    const results = [often(), once()].map((result) => result.catch((thrown: unknown) => thrown));
    breakDown();

    expect(await Promise.all(results)).toEqual([error, error]);
    expect([calls, reasons]).toEqual([attempts, [attempts === 4 ? "stopped" : "exhausted"]]);
  });

  it("cuts no neighbour off, in whatever order they were begun, and multiplies no nested call", async () => {
    const { broken, breakDown } = sharedFailure();
    const reasons: string[] = [];
    let nestedCalls = 0;
    const note = (name: string) => ({
      onGiveUp: ({ reason }: { reason: string }) => void reasons.push(`${name} ${reason}`),
    });
    const neighbours = Array.from({ length: 20 }, (_, n) =>
      retry(() => broken, { stop: stopAfterAttempt(n % 4 === 0 ? 1 : 3), wait: waitNone, ...note("neighbour") }),
    );
    const inner = retry(
      () => {
        nestedCalls++;
        return broken;
      },
      { stop: stopAfterAttempt(4), wait: waitNone, ...note("inner") },
    );
    const outer = retry(() => inner(), { stop: stopAfterAttempt(4), wait: waitNone, ...note("outer") });

    const results = [...neighbours.slice(0, 10), outer, ...neighbours.slice(10)].map((call) => call().catch(() => {}));
    breakDown();
    await Promise.all(results);

    expect(reasons.filter((each) => each === "neighbour stopped")).toHaveLength(20);
    expect(reasons).toEqual(expect.arrayContaining(["inner stopped", "outer exhausted"]));
    expect([reasons.length, nestedCalls]).toEqual([22, 4]);
  });

  it("cuts nobody off where it is the reason of one abort for many", async () => {
    const reason = new Error("shutdown");
    const controller = new AbortController();
    const until = (signal: AbortSignal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const aborted = retry(() => new Promise(() => {}), { signal: controller.signal });
    let calls = 0;
    const neighbour = retry(
      () => {
        calls++;
        return calls === 1 ? until(controller.signal) : "done";
      },
      { wait: waitNone },
    );

    const results = Promise.allSettled([aborted(), neighbour()]);
    controller.abort(reason);

    expect(await results).toEqual([
      { status: "rejected", reason },
      { status: "fulfilled", value: "done" },
    ]);
  });

  it("is rejected with in the macrotask in which the call gave up", async () => {
    const order: string[] = [];
    const failed = retry(flaky([new Error("down")]), { stop: stopAfterAttempt(1) })().catch(() =>
      order.push("rejected"),
    );
    setImmediate(() => order.push("macrotask"));

    await failed;
    await new Promise((resolve) => setImmediate(resolve));

    expect(order).toEqual(["rejected", "macrotask"]);
  });

  it("is told from one that exhausted a nested call, however late that one's neighbours decide", async () => {
    const clock = virtualClock();
    const error = new Error("down");
    let calls = 0;
    const inner = retry(
      async () => {
        calls++;
        throw error;
      },
      { clock, stop: stopAfterAttempt(2), wait: waitFixed(10) },
    );
    const outer = retry(() => later(inner(), 50), { clock, wait: waitFixed(10) });

    const result = outer().catch((thrown) => thrown);
    await clock.runAll();

    expect(await result).toBe(error);
    expect(calls).toBe(2);
  });
});
