// What docs/testing.md says of fake timers, in words that any test runner can say. `fake` lets time pass and settles
// what waits for it; `performanceIsFaked` is what its documentation says of it.
const BUSY = new Error("busy");
const HOUR = 3_600_000;

/** Sleeps for an hour, and reads the time that its policy sees pass. */
export async function sleeps({ core, testing }, fake) {
  let elapsed;
  const onSuccess = (state) => {
    elapsed = state.elapsed;
  };
  const call = core.retry(testing.flaky([BUSY, "ok"]), { wait: core.waitFixed(HOUR), onSuccess });
  const result = call();
  await fake(HOUR);
  return [await result, elapsed >= HOUR];
}

/** Times an attempt out. */
export async function timesOut({ core }, fake) {
  const call = core.retry(() => new Promise(() => {}), { attemptTimeout: HOUR, stop: core.stopAfterAttempt(1) });
  const result = call().catch(({ name }) => name);
  await fake(HOUR);
  return result;
}

/** A clock of its own needs no fake one. */
export async function virtual({ core, testing }) {
  const clock = testing.virtualClock();
  const result = core.retry(testing.flaky([BUSY, "ok"]), { wait: core.waitFixed(HOUR), clock })();
  await clock.advance(HOUR);
  return [await result, clock.now()];
}
