import { retry, stopAfterAttempt, waitDecorrelatedJitter, waitExponential, waitResetAfter } from "undaunted";
import { flaky, retryState, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const doubling = waitExponential({ base: 10 });

/** The delays of a call whose attempts live for so many ms. */
async function delaysOf(lives: number[], wait: Parameters<typeof waitResetAfter>[0]): Promise<number[]> {
  const clock = virtualClock();
  const delays: number[] = [];
  const script = lives.map(
    (ms) => () => new Promise((_, reject) => void clock.setTimer(() => reject(new Error("closed")), ms)),
  );
  const onRetry = ({ delay }: { delay: number }) => delays.push(delay);
  const result = retry(flaky(script), {
    clock,
    wait,
    stop: stopAfterAttempt(lives.length),
    onRetry,
    random: () => 0.5,
  })();
  result.catch(() => {});
  await clock.runAll();
  await result.catch(() => {});
  return delays;
}

describe("waitResetAfter", () => {
  it("counts the attempts from the last one that lived longer", async () => {
    expect(await delaysOf([1, 1, 1, 101, 1, 1, 1], waitResetAfter(doubling, 100))).toEqual([10, 20, 40, 10, 20, 40]);
  });

  it("is its inner wait where no attempt lived longer, ms included", async () => {
    expect(await delaysOf([100, 100, 100, 1], waitResetAfter(doubling, 100))).toEqual([10, 20, 40]);
  });

  it("begins anew each time that one lives longer", async () => {
    expect(await delaysOf([1, 500, 1, 500, 1], waitResetAfter(doubling, 100))).toEqual([10, 10, 20, 10]);
  });

  it("shows its inner wait no delay before the first attempt that counts", async () => {
    const jitter = waitDecorrelatedJitter({ base: 10 });

    expect(await delaysOf([1, 1, 500, 1, 1], waitResetAfter(jitter, 100))).toEqual([20, 35, 20, 35]);
  });

  it("keeps calls apart", () => {
    const wait = waitResetAfter(doubling, 100);
    const [a, b] = [{}, {}];
    wait(retryState({ call: a, attempt: 5, attemptElapsed: 500 }));

    expect(wait(retryState({ call: a, attempt: 6 }))).toBe(20);
    expect(wait(retryState({ call: b, attempt: 6 }))).toBe(320);
  });

  it.each([0, -1, Number.NaN])("refuses %d ms", (ms) => {
    expect(() => waitResetAfter(doubling, ms)).toThrow(RangeError);
  });

  it("refuses what is no wait", () => {
    expect(() => waitResetAfter(100 as never, 100)).toThrow("waitResetAfter: wait must be a function, got 100");
  });
});
