import { instant } from "undaunted/testing";
import {
  describe,
  printHeading,
  printResult,
  printSummary,
  printTitle,
  type Row,
  type Watch,
  watching,
} from "./print.js";
import { scenarios } from "./scenarios.js";
import { startServer } from "./server.js";

const fast = process.argv.includes("--fast");
const server = await startServer();
const rows: Row[] = [];

try {
  printTitle(server.origin);
  for (const [index, { title, shows, steps = [], run }] of scenarios.entries()) {
    const row: Row = { title, attempts: 0, slept: 0, result: "" };
    const watch: Watch = { ...watching(row), ...(fast ? instant : {}) };
    printHeading(index + 1, title, shows);
    try {
      const user = await run(server.play(steps), watch);
      row.result = `returns ${user.name}`;
    } catch (error) {
      row.result = `throws ${describe(error)}`;
    }
    printResult(row);
    rows.push(row);
  }
} finally {
  await server.close();
}

printSummary(rows);
