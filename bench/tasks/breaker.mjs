import { callTask } from "./calls.mjs";

export const breaker = [
  callTask({
    name: "breaker",
    title: "closed breaker, against a bare call",
    shape: "breaker",
    limit: "breaker",
    max: 2,
    // Its limit is a bare call, which is no contender.
    without: ["hand-loop"],
    matrix: false,
  }),
];
