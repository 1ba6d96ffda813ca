import fc from "fast-check";
import { virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";
import { allOf, Observed, type Plan, plan, realCall, referenceCall } from "./observed-call.ts";

it("does what the reference run does, at the same instants, on any script", async () => {
  const play = async (planned: Plan, callOf: (seen: Observed) => () => Promise<unknown>) => {
    const clock = virtualClock();
    const seen = new Observed(planned, clock);
    void seen.settled(callOf(seen));
    await clock.runAll();
    return allOf(seen);
  };

  await fc.assert(
    fc.asyncProperty(plan, async (planned) => {
      const real = await play(planned, realCall);

      expect(real).toEqual(await play(planned, referenceCall));
    }),
    { numRuns: 1_000 },
  );
});
