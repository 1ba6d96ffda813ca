import { expect, it } from "vitest";
import { demo } from "./demo.js";
import { startPgBoss } from "./engines/pg-boss.js";

it("the demo shows a call that goes on where two processes were killed, and charges once", async () => {
  const lines: string[] = [];

  await demo("pg-boss", startPgBoss, (line) =>
    lines.push(line.replace(/^ *[\d.]+ s {2}/, "").replace(/\d{2,}(?=:)/, "N")),
  );

  expect(lines).toEqual([
    "pg-boss: a charge that fails twice and waits 2.5 s each time, by one policy of undaunted",
    "process N: attempt 1",
    "process N:   failed with EBUSY; attempt 2 is due in 2500 ms",
    "kill -9, in the sleep before attempt 2; pg-boss has what it needs",
    "another process works for it",
    "process N: attempt 2",
    "process N:   failed with EBUSY; attempt 3 is due in 2500 ms",
    "process N: attempt 3",
    "process N:   charges, and the transaction holds a record of it",
    "process N:   does not come back",
    "kill -9, in attempt 3, after it has charged; pg-boss has what it needs",
    "another process works for it",
    "process N: attempt 3",
    "process N:   accepted",
    "completed by 3 processes; charged: 1 time",
  ]);
});
