import assert from "node:assert";
import { afterEach, beforeEach, mock, test } from "node:test";
import * as core from "undaunted";
import * as testing from "undaunted/testing";
import { sleeps, timesOut, virtual } from "./time.mjs";

const fake = async (ms) => {
  // What leads to the timer settles first; these timers are not waited for.
  await new Promise((resolve) => setImmediate(resolve));
  mock.timers.tick(ms);
};

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

test("a retry sleeps by node:test's timers, which leave performance alone", async () => {
  assert.deepEqual(await sleeps({ core, testing }, fake), ["ok", false]);
});

test("an attempt is timed out by node:test's timers", async () => {
  assert.equal(await timesOut({ core }, fake), "AttemptTimeoutError");
});

test("a virtual clock needs no timers of node:test's", async () => {
  mock.timers.reset();
  assert.deepEqual(await virtual({ core, testing }), ["ok", 3_600_000]);
});
