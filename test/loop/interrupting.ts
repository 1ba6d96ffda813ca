import type { RetryBudget } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { afterEach, beforeEach, expect } from "vitest";

export const busy = new Error("busy");
export const reason = new Error("the user left");
export const never = () => new Promise<never>(() => {});

/** Fails each test of the file that leaves a rejection unhandled. */
export function refuseUnhandledRejections(): void {
  let unhandled: unknown[];
  const note = (error: unknown) => unhandled.push(error);

  beforeEach(() => {
    unhandled = [];
    process.on("unhandledRejection", note);
  });

  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
}

/** A signal that counts its listeners. */
export function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  let added = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: never) => {
    added++;
    listeners.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: never) => {
    listeners.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return { signal, listeners, added: () => added, abort: () => controller.abort(reason) };
}

/** The result of a promise once microtasks have run: what it is now, not what it will be. */
export async function now<T>(promise: Promise<T>) {
  let result: { value: T } | { error: unknown } | "pending" = "pending";
  promise.then(
    (value) => {
      result = { value };
    },
    (error: unknown) => {
      result = { error };
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return result as typeof result;
}

/** A clock whose timers fire while no microtask runs in between, as fake timers do. */
export function abruptClock() {
  const clock = virtualClock();
  const timers = new Map<() => void, number>();
  const setTimer = (fn: () => void, ms: number) => {
    timers.set(fn, ms);
    return () => void timers.delete(fn);
  };
  const fire = () => {
    for (const fn of [...timers.keys()]) if (timers.delete(fn)) fn();
  };
  return { ...clock, setTimer, fire, timers };
}

/** A budget that writes down what it is asked. */
export function recordingBudget(acquire: () => number | Promise<number>) {
  const log: string[] = [];
  const budget: RetryBudget = {
    acquire: () => {
      log.push("acquire");
      return acquire();
    },
    recordSuccess: (taken) => log.push(`success ${taken}`),
    refund: (taken) => log.push(`refund ${taken}`),
    balance: 0,
  };
  return { budget, log };
}
