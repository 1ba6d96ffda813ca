import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { reports, tableOf } from "./simulation/report.js";
import { asMarkdown } from "./simulation/table.js";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const linesOf = (markdown: string) => markdown.split("\n").filter((line) => line.startsWith("|"));

// Millions of errors, whose stacks nobody reads.
const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

// What the small clients do after ten minutes is held in simulation.test.ts.
const printed = reports.filter(({ scenario }) => scenario.before <= 60);

it.each(printed)("docs/overload.md has the table as it is simulated: $title", { timeout: 120_000 }, async (report) => {
  const table = linesOf(asMarkdown(await tableOf(report, 1)));

  expect(table.length).toBeGreaterThan(4);
  expect(read("docs/overload.md")).toContain(table.join("\n"));
});

it("the README has the first of these tables", () => {
  const [, page = ""] = read("README.md").split("## Keep retries from making it worse\n");
  const [, ofAll = ""] = read("docs/overload.md").split("## What they do in an outage\n");
  const firstOf = (markdown: string) => markdown.match(/^\|(.*\n\|)*.*$/m)?.[0];

  expect(firstOf(page)).toContain("| `retryBudget()` |");
  expect(firstOf(page)).toBe(firstOf(ofAll));
});
