import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { reports, tableOf } from "./report.js";
import { asMarkdown } from "./table.js";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const linesOf = (markdown: string) => markdown.split("\n").filter((line) => line.startsWith("|"));

// What the small clients do after ten minutes is held in simulation.test.ts.
const printed = reports.filter(({ scene }) => (scene.before ?? 0) <= 60_000);

it.each(printed)("docs/overload.md has the table as it is simulated: $title", async (report) => {
  const table = linesOf(asMarkdown(await tableOf(report, 1)));

  expect(table.length).toBeGreaterThan(4);
  expect(read("docs/overload.md")).toContain(table.join("\n"));
});

it("the README says what stands in the first of these tables", () => {
  const [, page = ""] = read("README.md").split("## Keep retries from making it worse\n");
  const [, tables = ""] = read("docs/overload.md").split("## What they do in an outage\n");
  const rowOf = (client: string) =>
    linesOf(tables)
      .find((line) => line.startsWith(`| ${client} |`))
      ?.split(" | ") ?? [];
  const [, attempts, , never] = rowOf("4 attempts");
  const [, budget, , atOnce] = rowOf("`retryBudget()`");
  const [, breaker, , later] = rowOf("`circuitBreaker()`");
  const sentence = page.replaceAll("\n", " ");

  expect([never, atOnce]).toEqual(["not in 60 s", "0 s"]);
  expect(sentence).toContain(`4 attempts make ${attempts} times that load, and it is still down a minute later.`);
  expect(sentence).toContain(`With \`retryBudget()\` it is ${budget} times, with \`circuitBreaker()\` ${breaker},`);
  expect(sentence).toContain(`back at once or after ${later}.`);
});
