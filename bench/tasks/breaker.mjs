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
    note: (rows) =>
      rows.has("undaunted") ? undefined : "undaunted exports no breaker yet: its row appears here when it does.",
  }),
];
