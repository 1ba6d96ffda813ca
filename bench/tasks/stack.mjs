import { callTask } from "./calls.mjs";

// With a function that really awaits, one by one and in a crowd: a timer list that is empty is expensive to add to.
const timed = (name, title, shape, [alone, crowd]) =>
  [
    { name, title: `${title}, one by one`, max: alone },
    { name: `${name}-100`, title: `${title}, 100 in flight`, flight: 100, max: crowd },
  ].map((each) =>
    callTask({
      ...each,
      shape,
      limit: "timeout",
      work: "later",
      // The limit is the hand-written timeout, which is in no other table.
      matrix: false,
      without: ["hand-loop"],
    }),
  );

/** What people run in production, held against what they write by hand for a timeout alone. */
export const stack = [
  ...timed("timeout", "an attempt's timeout", "timeout", [0.55, 0.75]),
  ...timed("stack", "retries, bulkhead, breaker and timeouts", "stack", [0.85, 1.2]),
  // The targets are about Node 20.
  ...timed("stack-24", "the same on Node 24", "stack", []).map((task) => ({ ...task, newer: true })),
];
