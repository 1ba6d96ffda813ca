import type { CircuitBreaker } from "undaunted";

// What the tests of the breaker call, and how.

export const down = new Error("down");

/** A call that hangs. */
export const never = () => new Promise<never>(() => {});

/** As saved by a breaker whose opening is over: half-open when next looked at. */
export const OPEN_NO_LONGER = { state: "open", openings: 1, openFor: 1_000, remaining: 0 } as const;

/** Makes a call for each letter, one after the other: F fails, S succeeds. */
export async function play(breaker: CircuitBreaker, calls: string): Promise<void> {
  for (const call of calls) {
    await breaker
      .run(() => {
        if (call === "F") throw down;
      })
      .catch(() => {});
  }
}

/** Begins a call that ends when told to. */
export function begin(breaker: CircuitBreaker) {
  let resolve!: (value?: unknown) => void;
  let reject!: (error: unknown) => void;
  const call = breaker.run(() => new Promise((...ends) => ([resolve, reject] = ends))).catch(() => {});
  return {
    succeed() {
      resolve();
      return call;
    },
    fail() {
      reject(down);
      return call;
    },
  };
}
