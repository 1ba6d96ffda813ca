import { callTask } from "./calls.mjs";

export const http = [
  callTask({
    name: "http",
    title: "retryFetch over a stand-in for fetch, what it adds",
    shape: "http",
    limit: "http",
    unit: "over",
    max: 3_000,
    // It is a long way through a client, and takes a while to be optimised.
    rounds: 30,
    perProcess: 10,
    // Its limit is the stand-in alone, which is no contender.
    without: ["hand-loop"],
  }),
];
