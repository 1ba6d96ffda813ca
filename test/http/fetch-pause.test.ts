import { waitFixed } from "undaunted";
import { testRetries } from "undaunted/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { pausing, status } from "./fetching.js";

const A = "https://a.example/1";
const OTHER_PATH = "https://a.example/2";
const B = "https://b.example/";
const busy = (seconds = 10, code = 429) => status(code, { "retry-after": `${seconds}` });

describe("pauseOrigin", () => {
  it.each([429, 503])("holds back other calls to the origin until the time that a %i told", async (code) => {
    const { api, clock, seen } = pausing([busy(10, code), status(200), status(200)]);

    api(A);
    await clock.advance(1_000);
    api(OTHER_PATH);
    await clock.runAll();

    expect(seen.slice(1).map(([, ms]) => ms)).toEqual([10_000, 10_000]);
  });

  it("spreads them over half of that time again", async () => {
    const numbers = [0, 0, 0.5, 0.999];
    const { api, clock, seen } = pausing([busy(10), status(200), status(200), status(200)], {
      random: () => numbers.shift() ?? 0,
    });
    api(A);
    await clock.advance(0);
    api("https://a.example/half");
    api("https://a.example/full");

    await clock.runAll();

    expect(Object.fromEntries(seen)).toEqual({
      [A]: 10_000,
      "https://a.example/half": 12_500,
      "https://a.example/full": 14_995,
    });
  });

  it("lets calls to other origins through", async () => {
    const { api, clock, seen } = pausing([busy(), status(200)]);
    api(A);
    await clock.advance(1_000);

    api(B);
    await clock.advance(0);

    expect(seen.at(-1)).toEqual([B, 1_000]);
  });

  it("waits for nothing in a test run that switched waits off", async () => {
    const { api, clock, seen } = pausing([busy(10), status(200), status(200)]);
    const quick = testRetries({ waits: false });
    onTestFinished(() => quick.restore());
    api(A);
    await clock.advance(0);

    api(OTHER_PATH);
    await clock.runAll();

    expect(seen.map(([, ms]) => ms)).toEqual([0, 0, 0]);
  });

  it("is over after that time", async () => {
    const { api, clock, seen } = pausing([busy(), status(200), status(200)]);
    api(A);
    await clock.advance(10_000);

    api(OTHER_PATH);
    await clock.advance(0);

    expect(seen.at(-1)).toEqual([OTHER_PATH, 10_000]);
  });

  it("does not hold back where the option is off", async () => {
    const { api, clock, seen } = pausing([busy(), status(200)], { pauseOrigin: false });
    api(A);
    await clock.advance(1_000);

    api(OTHER_PATH);
    await clock.advance(0);

    expect(seen.at(-1)).toEqual([OTHER_PATH, 1_000]);
  });

  it.each([
    ["a hint longer than maxRetryAfter", busy(61)],
    ["a failure without a hint", status(429)],
    ["a hint of another failure", busy(10, 500)],
    ["a hint of a success", busy(10, 200)],
  ])("does not hold back for %s", async (_, first) => {
    const { api, clock, seen } = pausing([first, status(200), status(200)]);
    api(A);
    await clock.advance(1);

    api(OTHER_PATH);
    await clock.advance(0);

    expect(seen.at(-1)).toEqual([OTHER_PATH, 1]);
  });

  it("holds back for a hint as long as maxRetryAfter", async () => {
    const { api, clock, seen } = pausing([busy(60), status(200), status(200)]);
    api(A);
    await clock.advance(1);
    api(OTHER_PATH);

    await clock.runAll();

    expect(seen.slice(1).map(([, ms]) => ms)).toEqual([60_000, 60_000]);
  });

  it("holds back for a failure that is not retried too", async () => {
    const { api, clock, seen } = pausing([busy(), status(200)], { statuses: [] });
    await api(A);
    api(OTHER_PATH);

    await clock.runAll();

    expect(seen.at(-1)).toEqual([OTHER_PATH, 10_000]);
  });

  it("holds back a later attempt of a call that has slept for less", async () => {
    const { api, clock, seen } = pausing([status(500), busy(), status(200), status(200)], { wait: waitFixed(2_000) });
    api(A);
    await clock.advance(1_000);
    api(OTHER_PATH);

    await clock.runAll();

    expect(seen).toEqual([
      [A, 0],
      [OTHER_PATH, 1_000],
      [OTHER_PATH, 11_000],
      [A, 11_000],
    ]);
  });

  it("holds back for longer where another call is told so meanwhile", async () => {
    const { api, clock, seen } = pausing([
      async () => {
        await new Promise<void>((resolve) => clock.setTimer(resolve, 5_000));
        return busy(20);
      },
      busy(10),
      status(200),
      status(200),
      status(200),
    ]);
    api(A);
    api(A);
    await clock.advance(1_000);
    api(OTHER_PATH);

    await clock.runAll();

    expect(seen.find(([url]) => url === OTHER_PATH)).toEqual([OTHER_PATH, 25_000]);
  });

  it("is not made shorter by a shorter hint", async () => {
    const { api, clock, seen } = pausing([
      busy(20),
      async () => {
        await new Promise<void>((resolve) => clock.setTimer(resolve, 1_000));
        return busy(1);
      },
      ...[1, 2, 3].map(() => status(200)),
    ]);
    api(A);
    api(A);
    await clock.advance(3_000);
    api(OTHER_PATH);

    await clock.runAll();

    expect(seen.find(([url]) => url === OTHER_PATH)).toEqual([OTHER_PATH, 20_000]);
  });

  it("is shared with the clients made by with()", async () => {
    const { api, clock, seen } = pausing([busy(), status(200), status(200)]);
    api(A);
    await clock.advance(1_000);
    api.with({ name: "other" })(OTHER_PATH);

    await clock.runAll();

    expect(seen.at(-1)![1]).toBe(10_000);
  });

  it("holds back a client with another maxRetryAfter once what is left is within that", async () => {
    const { api, clock, seen } = pausing([busy(30), status(200), status(200)], { statuses: [] });
    const impatient = api.with({ maxRetryAfter: 10_000 });
    await api(A);
    await clock.advance(10_000);
    impatient(OTHER_PATH);
    await clock.advance(15_000);
    impatient(OTHER_PATH);

    await clock.runAll();

    expect(seen.map(([, ms]) => ms)).toEqual([0, 10_000, 30_000]);
  });

  it("takes pauses of somebody else's, and fails a call with what they throw", async () => {
    const told: number[] = [];
    const pauseOrigin = {
      pauseOf: ({ url }: { url: URL }) => ({
        left: async () => (url.pathname === "/2" ? { left: 1_000, length: 1_000 } : undefined),
        pause: (ms: number) => told.push(ms),
      }),
    };
    const { api, clock, seen } = pausing([busy(10), status(200)], { statuses: [], pauseOrigin });
    const error = new Error("no key");
    const failing = api.with({
      pauseOrigin: {
        pauseOf: () => {
          throw error;
        },
      },
    });

    await api(A);
    api(OTHER_PATH);
    await clock.advance(999);

    expect([told, seen]).toEqual([[10_000], [[A, 0]]]);
    await expect(failing(A)).rejects.toBe(error);
    expect(seen).toHaveLength(1);
  });

  it("is set, and heeded, only by clients whose own option says so", async () => {
    const { api, clock, seen } = pausing([busy(), busy(), status(200), status(200)], { statuses: [] });
    const careless = api.with({ pauseOrigin: false });
    await careless(A);
    await api(A);
    careless(OTHER_PATH);
    await clock.advance(0);

    expect(seen.map(([, ms]) => ms)).toEqual([0, 0, 0]);
  });

  it("needs no onAttempt", async () => {
    const errors: unknown[] = [];
    const { api, clock } = pausing([busy(), status(200)], { statuses: [], onHookError: (error) => errors.push(error) });
    await api(A);
    const held = api(A);

    await clock.runAll();

    expect((await held).status).toBe(200);
    expect(errors).toEqual([]);
  });
});
