import { mock } from "node:test";
import { LegacyFakeTimers, ModernFakeTimers } from "@jest/fake-timers";
import FakeTimers from "@sinonjs/fake-timers";
import { retry, stopAfterAttempt, stopAfterDelay, waitFixed } from "undaunted";
import { afterEach, describe, expect, it, vi } from "vitest";

// What docs/testing.md says about fake timers, seen with each of them.

interface Fake {
  /** Lets `ms` pass. */
  tick(ms: number): unknown;
  restore(): void;
}

const projectConfig = { fakeTimers: {} } as never;

/** In an order in which each finds the real ones. */
const fakes: Record<string, { performance: boolean; install(): Fake }> = {
  "@sinonjs/fake-timers": {
    performance: true,
    install() {
      const clock = FakeTimers.install();
      return { tick: (ms) => clock.tick(ms), restore: () => clock.uninstall() };
    },
  },
  "Jest's modern ones": {
    performance: true,
    install() {
      const timers = new ModernFakeTimers({ global: globalThis, config: projectConfig });
      timers.useFakeTimers({});
      return { tick: (ms) => timers.advanceTimersByTime(ms), restore: () => timers.useRealTimers() };
    },
  },
  "Vitest's": {
    performance: true,
    install() {
      vi.useFakeTimers();
      return { tick: (ms) => vi.advanceTimersByTime(ms), restore: () => vi.useRealTimers() };
    },
  },
  "Vitest's as version 2 has them by default": {
    performance: false,
    install() {
      vi.useFakeTimers({
        toFake: [
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "setImmediate",
          "clearImmediate",
          "Date",
        ],
      });
      return { tick: (ms) => vi.advanceTimersByTime(ms), restore: () => vi.useRealTimers() };
    },
  },
  "node:test's": {
    performance: false,
    install() {
      mock.timers.enable();
      return { tick: (ms) => mock.timers.tick(ms), restore: () => mock.timers.reset() };
    },
  },
  "Jest's legacy ones": {
    performance: false,
    install() {
      // What Jest hands them: its own mocks, and handles like Node's.
      const timers = new LegacyFakeTimers({
        global: globalThis,
        moduleMocker: { fn: (as: never) => vi.fn(as) } as never,
        config: { rootDir: "" } as never,
        timerConfig: {
          idToRef: (id: number) => ({ id, ref() {}, unref() {} }),
          refToId: (ref: { id: number }) => ref.id,
        },
      });
      timers.useFakeTimers();
      return { tick: (ms) => timers.advanceTimersByTime(ms), restore: () => timers.useRealTimers() };
    },
  },
};

let fake: Fake | undefined;

afterEach(() => {
  fake?.restore();
  fake = undefined;
});

const busy = new Error("busy");
const fail = () => Promise.reject(busy);

/** Lets the microtasks between two timers run. */
async function microtasks(): Promise<void> {
  for (let n = 0; n < 200; n++) await null;
}

/** Lets `ms` pass, as often as was asked for. */
async function pass(times: number, ms: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await microtasks();
    fake!.tick(ms);
  }
  await microtasks();
}

describe.each(Object.entries(fakes))("with fake timers, %s,", (_, { performance, install }) => {
  it("sleeps end when time is let pass", async () => {
    fake = install();
    const load = vi.fn(fail);
    let ended: unknown;
    retry(load, { wait: waitFixed(60_000), stop: stopAfterAttempt(3) })().catch((error) => {
      ended = error;
    });

    await pass(1, 60_000);
    expect(load).toHaveBeenCalledTimes(2);
    await pass(1, 60_000);

    expect(load).toHaveBeenCalledTimes(3);
    expect(ended).toBe(busy);
  });

  it("an attempt's timeout ends it when time is let pass", async () => {
    fake = install();
    let ended: unknown;
    retry(() => new Promise(() => {}), { attemptTimeout: 1_000, stop: stopAfterAttempt(1) })().catch((error) => {
      ended = error;
    });

    await pass(1, 1_000);
    await pass(1, 1);

    expect(ended).toMatchObject({ name: "AttemptTimeoutError" });
  });

  it(`stops by time ${performance ? "go by it" : "see none pass, since performance is not faked"}`, async () => {
    fake = install();
    const load = vi.fn(fail);
    let elapsed = Number.NaN;
    const stop = stopAfterDelay(100_000);
    retry(load, {
      wait: waitFixed(60_000),
      stop: (state) => {
        ({ elapsed } = state);
        return stop(state) || state.attempt === 5;
      },
    })().catch(() => {});

    await pass(6, 60_000);

    expect(load).toHaveBeenCalledTimes(performance ? 3 : 5);
    expect(elapsed >= 100_000).toBe(performance);
  });
});
