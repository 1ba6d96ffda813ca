const core = require("undaunted");
const testing = require("undaunted/testing");
const { sleeps, timesOut, virtual } = require("./time.cjs");

const fake = (ms) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test("a retry sleeps by Jest's timers, and its time is theirs", async () => {
  expect(await sleeps({ core, testing }, fake)).toEqual(["ok", true]);
});

test("an attempt is timed out by Jest's timers", async () => {
  expect(await timesOut({ core }, fake)).toBe("AttemptTimeoutError");
});

test("a virtual clock needs no timers of Jest's", async () => {
  jest.useRealTimers();
  expect(await virtual({ core, testing })).toEqual(["ok", 3_600_000]);
});
