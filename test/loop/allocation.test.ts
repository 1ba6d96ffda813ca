import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";

// Bytes are counted in a process of their own, whose young generation is so large that nothing is collected meanwhile.
const FLAGS = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256"];

const folder = mkdtempSync(join(tmpdir(), "undaunted-allocation-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Bytes per successful call of what `contender`, an expression, makes of `fn`. */
function bytesPerCall(contender: string): Promise<number> {
  return measured(`
    const fn = async () => 1;
    const passOn = (value) => value;
    const call = ${contender};
    let least = Infinity;
    for (let round = 0; round < 8; round++) {
      for (let n = 0; n < 10_000; n++) await call();
      gc();
      const before = process.memoryUsage().heapUsed;
      for (let n = 0; n < 20_000; n++) await call();
      least = Math.min(least, (process.memoryUsage().heapUsed - before) / 20_000);
    }
    console.log(least);`);
}

/** Bytes on the heap per call that failed once and sleeps. */
function bytesPerSleeper(options: string): Promise<number> {
  return measured(`
    const busy = new Error("busy");
    const call = retry(async () => { throw busy; }, ${options});
    const asleep = async (calls) => {
      for (let n = 0; n < calls; n++) call();
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    };
    await asleep(2_000);
    const before = process.memoryUsage().heapUsed;
    await asleep(20_000);
    console.log((process.memoryUsage().heapUsed - before) / 20_000);
    process.exit();`);
}

/** What a program prints that has the core at hand. */
async function measured(body: string): Promise<number> {
  const program = join(folder, "program.mjs");
  await build({
    stdin: {
      contents: `import { circuitBreaker, observe, retry, retryBudget, waitFixed } from "./index.js";
        import { namedGuards } from "./common/named.js";\n${body}`,
      resolveDir: fileURLToPath(new URL("../../src", import.meta.url)),
    },
    outfile: program,
    bundle: true,
    format: "esm",
    target: "node20",
    platform: "node",
  });
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, program], { timeout: PATIENCE });
  return Number(stdout);
}

// A closure is 64 bytes, the context it needs at least 32.
const LESS_THAN_A_CLOSURE = 16;

it("a call that succeeds at once makes no run: it weighs what a promise, a closure and its call weigh", async () => {
  const byHand = await bytesPerCall(
    "(...args) => { const call = { fn, args, a: 1, b: 2, c: 3, d: 4 }; return fn(...args).then(passOn, () => call); }",
  );
  const retried = await bytesPerCall("retry(fn)");

  expect(byHand).toBeGreaterThan(100);
  expect(retried - byHand).toBeLessThan(LESS_THAN_A_CLOSURE);
});

it("a sleeping call weighs less than 800 bytes, its timer and its promises included", async () => {
  const bytes = await bytesPerSleeper("{ wait: waitFixed(3_600_000) }");

  expect(bytes).toBeGreaterThan(300);
  expect(bytes).toBeLessThan(800);
});

it("a budget allocates nothing when a call succeeds at once", async () => {
  const without = await bytesPerCall("retry(fn)");
  const withBudget = await bytesPerCall("retry(fn, { budget: retryBudget() })");

  expect(without).toBeGreaterThan(100);
  expect(withBudget - without).toBeLessThan(LESS_THAN_A_CLOSURE);
});

it("a closed breaker makes a promise and nothing else", async () => {
  const bare = await bytesPerCall("(...args) => fn(...args).then(passOn)");
  const guarded = await bytesPerCall("circuitBreaker().wrap(fn)");

  expect(bare).toBeGreaterThan(100);
  expect(guarded - bare).toBeLessThan(LESS_THAN_A_CLOSURE);
});

it("a listener that has gone has left nothing behind: a success weighs what it did before", async () => {
  const before = await bytesPerCall("retry(fn)");
  const after = await bytesPerCall("(observe(() => {})(), retry(fn))");

  expect(before).toBeGreaterThan(100);
  expect(after - before).toBeLessThan(LESS_THAN_A_CLOSURE);
});

it("guards with a name that nobody holds any more are let go, and so are their places in the list", async () => {
  const left = await measured(`
    const kept = retryBudget({ name: "kept" });
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 1_000; n++) retryBudget({ name: "made for a request" });
      // What a WeakRef was made for stays until its turn is over.
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    }
    const names = [...namedGuards()].map(({ name }) => name);
    console.log(names.includes(kept.name) ? names.length : Infinity);`);

  expect(left).toBeLessThan(2_000);
});
