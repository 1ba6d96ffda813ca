import { runWithRetry } from "undaunted";
import { beforeEach, describe, expect, it, vi } from "vitest";

let warnings: string[];

beforeEach(() => {
  warnings = [];
  vi.stubGlobal("process", { emitWarning: (message: string) => warnings.push(message) });
  return () => vi.unstubAllGlobals();
});

/** A call whose hook is written where it is made. */
const call = (message: string, name?: string) =>
  runWithRetry(() => 1, {
    name,
    onSuccess: () => {
      throw new Error(message);
    },
  });

describe("the warning of a hook that fails", () => {
  it("comes a few times where the hook is made anew for each call", async () => {
    for (let n = 0; n < 100; n++) await call("the same each time");

    expect(warnings).toEqual(Array(3).fill("undaunted: a hook failed: Error: the same each time"));
  });

  it("comes for hooks of another name, of another owner, or that fail in another way, all the same", async () => {
    for (let n = 0; n < 9; n++) await call("one way");
    warnings.length = 0;

    await call("one way", "another owner");
    await call("another way");
    await runWithRetry(() => 1, {
      onAttempt: () => {
        throw new Error("one way");
      },
    });

    expect(warnings).toHaveLength(3);
  });

  it("comes a few times from one place, though the message is another each time", async () => {
    for (let n = 0; n < 200; n++) await call(`of id ${n}`);

    expect(warnings.length).toBeGreaterThan(2);
    expect(warnings.length).toBeLessThanOrEqual(10);
  });

  it("comes no more when it came from a hundred places, so that nothing piles up", async () => {
    for (let n = 0; n < 200; n++) await call("of one of many owners", `owner ${n}`);

    expect(warnings.length).toBeLessThanOrEqual(100);
    expect(warnings.length).toBeGreaterThan(50);
  });

  it("comes although the hook's own name cannot be shown", async () => {
    const onSuccess = Object.defineProperty(
      () => {
        throw new Error("nameless");
      },
      "name",
      { value: { [Symbol.toPrimitive]: () => Symbol("name") } },
    );

    expect(await runWithRetry(() => 1, { onSuccess })).toBe(1);
  });
});
