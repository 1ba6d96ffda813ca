import * as core from "undaunted";
import * as testing from "undaunted/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sleeps, timesOut, virtual } from "./time.mjs";

const fake = (ms) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a retry sleeps by Vitest's timers, and its time is theirs", async () => {
  expect(await sleeps({ core, testing }, fake)).toEqual(["ok", true]);
});

test("an attempt is timed out by Vitest's timers", async () => {
  expect(await timesOut({ core }, fake)).toBe("AttemptTimeoutError");
});

test("a virtual clock needs no timers of Vitest's", async () => {
  vi.useRealTimers();
  expect(await virtual({ core, testing })).toEqual(["ok", 3_600_000]);
});
