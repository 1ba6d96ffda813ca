import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { othersRun, pausing, status } from "./fetching.js";

const A = "https://a.example/1";
const OTHER_PATH = "https://a.example/2";
const busy = () => status(429, { "retry-after": "10" });

describe("waiting for a paused origin", () => {
  it("is not told to onAttempt before it is over", async () => {
    const starts: number[] = [];
    const { api, clock } = pausing([busy(), status(200), status(200)], { onAttempt: () => starts.push(clock.now()) });
    api(A);
    await clock.advance(1_000);
    api(OTHER_PATH);

    await clock.runAll();

    expect(starts).toEqual([0, 10_000, 10_000]);
  });

  it("calls onAttempt of a call that is not held back", async () => {
    const starts: unknown[] = [];
    const { api } = pausing([status(200)], { onAttempt: ({ attempt }) => starts.push(attempt) });

    await api(A);

    expect(starts).toEqual([1]);
  });

  it("counts to totalTimeout", async () => {
    const { api, clock } = pausing([busy(), status(200)]);
    api(A);
    await clock.advance(0);
    const held = api.with({ totalTimeout: 5_000 })(OTHER_PATH);
    held.catch(() => {});

    await clock.advance(5_000);

    await expect(held).rejects.toHaveProperty("name", "TotalTimeoutError");
  });

  it("does not count to attemptTimeout", async () => {
    const { api, clock } = pausing([busy(), status(200), status(200)]);
    api(A);
    await clock.advance(0);
    const held = api.with({ attemptTimeout: 5_000 })(OTHER_PATH);

    await clock.runAll();

    expect((await held).status).toBe(200);
  });

  it("ends with an abort, and leaves no timer", async () => {
    const controller = new AbortController();
    const { api, clock } = pausing([busy()], { statuses: [] });
    await api(A);
    const held = api(OTHER_PATH, { signal: controller.signal });
    held.catch(() => {});
    await othersRun();
    const before = clock.pending;

    controller.abort("the user left");

    await expect(held).rejects.toBe("the user left");
    expect([before, clock.pending]).toEqual([1, 0]);
  });

  it("leaves no timer where totalTimeout ends it", async () => {
    const { api, clock } = pausing([busy()], { statuses: [] });
    await api(A);
    api
      .with({ totalTimeout: 5_000 })(OTHER_PATH)
      .catch(() => {});

    await clock.advance(5_000);

    expect(clock.pending).toBe(0);
  });

  it("keeps the process alive, or not, as unref says", async () => {
    const unrefs: unknown[] = [];
    const clock = virtualClock();
    const setTimer: typeof clock.setTimer = (fn, ms, unref) => {
      unrefs.push(unref);
      return clock.setTimer(fn, ms);
    };
    const { api } = pausing([busy(), status(200)], { statuses: [], unref: true, clock: { ...clock, setTimer } });
    await api(A);

    api(OTHER_PATH);

    expect(unrefs).toEqual([true]);
  });
});
