import { afterEach, beforeEach, expect } from "vitest";

export const busy = new Error("busy");
export const reason = new Error("the user left");
export const never = () => new Promise<never>(() => {});

/** Lets every microtask run. */
export function othersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A function whose calls end when asked to, by what was their first argument. */
export function held() {
  const called: unknown[] = [];
  const ends = new Map<unknown, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const fn = (id: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      called.push(id);
      ends.set(id, { resolve, reject });
    });
  return Object.assign(fn, {
    /** The calls so far. */
    called,
    /** Ends a call with its own id. */
    async end(id: unknown) {
      ends.get(id)!.resolve(id);
      await othersRun();
    },
    async fail(id: unknown, error: unknown) {
      ends.get(id)!.reject(error);
      await othersRun();
    },
  });
}

/** Fails each test of a file that leaves a rejection unhandled. */
export function expectNothingUnhandled(): void {
  let unhandled: unknown[];
  const note = (error: unknown) => unhandled.push(error);

  beforeEach(() => {
    unhandled = [];
    process.on("unhandledRejection", note);
  });

  afterEach(async () => {
    await othersRun();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
}
