import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bulkhead, retry, runWithRetry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { expectNothingUnhandled, held, never, othersRun, reason } from "./held.js";

expectNothingUnhandled();

describe("the stack of an error", () => {
  const works = {
    "after its first await": async () => {
      await null;
      throw new Error("deep");
    },
    "before its first await": async () => {
      throw new Error("deep");
    },
    synchronously: (): Promise<never> => {
      throw new Error("deep");
    },
  };
  const cases = Object.entries(works).flatMap(([when, work]) =>
    ["at once", "after a wait"].flatMap((start) =>
      ["alone", "in a policy", "in a policy that can abandon it"].map((place) => ({ when, work, start, place })),
    ),
  );

  it.each(cases)(
    "shows the caller in the stack of an error thrown $when, started $start, $place",
    async ({ work, start, place }) => {
      const first = held();
      const slots = bulkhead({ limit: 1, queue: 1 });
      if (start === "after a wait") slots.wrap(first)(1);
      const policy = { ...instant, stop: stopAfterAttempt(1), ...(place.endsWith("it") && { attemptTimeout: 10_000 }) };
      const call = place === "alone" ? slots.wrap(work) : retry(slots.wrap(work), policy);
      async function callerOfWrapped() {
        await call();
      }

      const thrown = callerOfWrapped().catch((error: Error) => error);
      if (start === "after a wait") await first.end(1);

      expect(((await thrown) as Error).message).toBe("deep");
      expect(((await thrown) as Error).stack).toContain("callerOfWrapped");
    },
  );
});

describe("memory", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;

  it("the memory of a call is free when it has settled, also while one that stood before it in the queue still runs", async () => {
    const work = held();
    const slots = bulkhead({ limit: 2, queue: 2 });
    slots.wrap(work)(1);
    slots.wrap(work)(2);
    slots.wrap(work)(3);
    const argument = new WeakRef({});
    const waiting = slots.wrap((_: unknown) => {})(argument.deref());

    await work.end(1);
    await work.end(2);
    await waiting;
    await othersRun();
    collectGarbage();

    expect(argument.deref()).toBeUndefined();
    await work.end(3);
  });

  it("the memory of a call is free when it has settled, also while its attempt goes on", async () => {
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    let argument: WeakRef<object> | undefined;
    const result = runWithRetry(
      async () => {
        argument = new WeakRef({});
        await Promise.all([slots.run(async () => {}), slots.wrap((_: unknown) => {})(argument.deref())]);
        await never();
      },
      { signal: controller.signal },
    ).catch(() => {});
    await othersRun();
    await othersRun();
    collectGarbage();

    expect(argument?.deref()).toBeUndefined();
    controller.abort(reason);
    await result;
  });

  it.each([
    ["a slot at once", bulkhead({ limit: 1 })],
    ["a wait in the queue", bulkhead({ limit: 1, queue: 1 })],
  ])(
    "the memory of the errors before the last is free while a call that got %s at each attempt goes on",
    async (how, slots) => {
      const errors: WeakRef<Error>[] = [];
      const guarded = slots.wrap(async () => {
        const error = new Error("busy");
        errors.push(new WeakRef(error));
        throw error;
      });
      const failing = () => {
        if (how !== "a slot at once") slots.run(async () => {});
        return guarded();
      };
      let kept: number | undefined;

      await retry(
        async () => {
          if (errors.length === 9) {
            await othersRun();
            collectGarbage();
            kept = errors.filter((error) => error.deref()).length;
          }
          return failing();
        },
        { ...instant, stop: stopAfterAttempt(10) },
      )().catch(() => {});

      expect(errors).toHaveLength(10);
      expect(kept).toBeLessThanOrEqual(2);
    },
  );
});
