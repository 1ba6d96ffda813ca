import { expect, it } from "vitest";
import { programs } from "./programs.js";

const run = programs();

/** Which of what `body` registers by `watch(what, object)` is freed once all is over. */
async function freedAfter(body: string): Promise<string[]> {
  const printed = await run(
    `
    const { retry, runWithRetry, retryBudget, waitNone, circuitBreaker, bulkhead } = undaunted;
    const freed = new Set();
    const registry = new FinalizationRegistry((what) => freed.add(what));
    const big = (what) => {
      const object = { bytes: new Array(1_000).fill(what) };
      registry.register(object, what);
      return object;
    };
    ${body}
    for (let n = 0; n < 20 && freed.size < expected; n++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log(JSON.stringify([...freed].sort()));
    process.exit();`,
    "--expose-gc",
  );
  return JSON.parse(printed) as string[];
}

it("a call that is over keeps nothing of what it was given: arguments, options, errors, fallbacks", async () => {
  const freed = await freedAfter(`
    const expected = 5;
    const load = retry(async () => 1, (given) => ({ fallback: () => given.bytes, attemptTimeout: 1_000 }));
    const block = async () => {
      const options = big("the options of a block");
      await runWithRetry(() => 1, { fallback: () => options.bytes, totalTimeout: 60_000 });
    };
    const rejected = async () => {
      const error = Object.assign(new Error("busy"), { held: big("an error that was given up on") });
      await runWithRetry(() => Promise.reject(error), { wait: waitNone }).catch(() => {});
    };
    const recovered = async () => {
      const error = Object.assign(new Error("busy"), { held: big("an error that was retried") });
      let attempts = 0;
      await retry(async () => { if (attempts++ === 0) throw error; return 1; }, { wait: waitNone })(big("an argument"));
    };
    await load(big("an argument of options"));
    await block();
    await rejected();
    await recovered();`);

  expect(freed).toEqual([
    "an argument",
    "an argument of options",
    "an error that was given up on",
    "an error that was retried",
    "the options of a block",
  ]);
});

it("a budget that was paid and what it was paid for are freed with the call, and so are guards", async () => {
  const freed = await freedAfter(`
    const expected = 3;
    const one = async () => {
      const budget = retryBudget();
      registry.register(budget, "a budget");
      const [breaker, slots] = [circuitBreaker(), bulkhead({ limit: 1 })];
      registry.register(breaker, "a breaker");
      let attempts = 0;
      const flaky = async () => { if (attempts++ === 0) throw new Error("busy"); return 1; };
      const load = retry(slots.wrap(breaker.wrap(flaky)), { budget, wait: waitNone, attemptTimeout: 60_000 });
      await load(big("an argument that was paid for"));
    };
    await one();`);

  expect(freed).toEqual(["a breaker", "a budget", "an argument that was paid for"]);
});
