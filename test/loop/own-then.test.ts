import { retry, runWithRetry } from "undaunted";
import { expect, it } from "vitest";
import { now, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

/** A native promise whose `then` was replaced, as instrumentation does. */
const withThen = (then: () => unknown) => Object.assign(Promise.resolve("value"), { then }) as Promise<string>;

const thens: [what: string, then: () => unknown][] = [
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  ["returns nothing", () => {}],
];
const policies = [{}, { attemptTimeout: 60_000 }, { onAttempt: async () => {} }, { onSuccess: () => {} }];
const cases = thens.flatMap(([what, then]) => policies.map((options) => ({ what, then, options })));

it.each(cases)(
  "a native promise whose own then $what is waited for as await does it: $options",
  async ({ then, options }) => {
    const wrapped = retry(() => withThen(then), options)();
    const block = runWithRetry(() => withThen(then), options);

    expect(wrapped).toBeInstanceOf(Promise);
    expect([await now(wrapped), await now(block)]).toEqual([{ value: "value" }, { value: "value" }]);
  },
);
