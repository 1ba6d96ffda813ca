import { describe, expect, it } from "vitest";
import { noBudget } from "./contenders.js";
import { reports, tableOf } from "./report.js";
import type { Scene } from "./scenarios.js";
import { asMarkdown, asText } from "./table.js";

/** A few seconds of a small fleet, where it does not matter what happens to it. */
const brief: Scene = { clients: 4, before: 2_000, outage: { kind: "blackhole", lasts: 2_000 }, after: 2_000 };

describe("the tables", () => {
  const table = {
    title: "Who wins",
    columns: ["client", "load"],
    rows: [
      ["no retries", "1.00"],
      ["retryBudget()", "12.00"],
    ],
  };

  it("are aligned for a terminal", () => {
    expect(asText(table)).toBe(
      ["Who wins", "", "client           load", "no retries       1.00", "retryBudget()   12.00", ""].join("\n"),
    );
  });

  it("are Markdown for the README", () => {
    const lines = ["| client | load |", "| --- | ---: |", "| no retries | 1.00 |", "| `retryBudget()` | 12.00 |"];

    expect(asMarkdown(table)).toBe(["Who wins", "", ...lines, ""].join("\n"));
  });

  it.each(reports)("show a row for each contender and name the seed: $title", async (report) => {
    const { title, columns, rows } = await tableOf({ ...report, scene: brief }, 7);

    expect(title).toContain("seed 7");
    expect(rows.map(([name]) => name)).toEqual(report.contenders.map(({ name }) => name));
    for (const row of rows) expect(row).toHaveLength(columns.length);
  });

  it("say for how long was looked in vain where nothing recovered", async () => {
    const [report] = reports;
    const scene: Scene = { before: 2_000, outage: { kind: "blackhole", lasts: 10_000 }, after: 5_000 };

    const { rows } = await tableOf({ ...report!, scene, contenders: [noBudget] }, 1);

    expect(rows[0]).toContain("not in 5 s");
  });
});
