import * as u from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";

const { retry, retrySync, runWithRetry, waitFixed, stopAfterAttempt, waitNone } = u;
it("basics", async () => {
  expect(await retry(flaky([new Error("a"), "ok"]), instant)()).toBe("ok");
  expect(retrySync(flaky([new Error("a"), "ok"]), instant)()).toBe("ok");
  const e = new Error("z");
  await expect(retry(flaky([e, e, e, e]), instant)()).rejects.toBe(e);
  const clock = virtualClock();
  const c = new AbortController();
  const p = retry(
    async () => {
      throw e;
    },
    { clock, signal: c.signal, wait: waitFixed(100), stop: u.stopNever },
  )();
  p.catch(() => {});
  await clock.advance(1000);
  c.abort("why");
  await expect(p).rejects.toBe("why");
  expect(clock.pending).toBe(0);
  const t = runWithRetry(() => new Promise(() => {}), {
    clock,
    attemptTimeout: 50,
    wait: waitNone,
    stop: stopAfterAttempt(3),
  });
  t.catch(() => {});
  await clock.advance(1000);
  await expect(t).rejects.toMatchObject({ code: "ERR_ATTEMPT_TIMEOUT", attempt: 3 });
  const inner = retry(async () => {
    n++;
    throw new Error("x");
  }, instant);
  let n = 0;
  await expect(retry(() => retry(() => inner(), instant)(), instant)()).rejects.toThrow("x");
  expect(n).toBe(4);
});
it("stack", async () => {
  async function work() {
    await null;
    await null;
    throw new Error("deep");
  }
  for (const o of [
    instant,
    { ...instant, onSuccess() {} },
    { ...instant, attemptTimeout: 1000 },
    { wait: waitFixed(1) },
  ]) {
    async function theCaller() {
      await retry(work, o)();
    }
    const err = await theCaller().catch((e) => e);
    expect(err.stack).toContain("theCaller");
    async function theCaller2() {
      await runWithRetry(work, o);
    }
    expect((await theCaller2().catch((e) => e)).stack).toContain("theCaller2");
  }
});
