import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { linesOf, reportSkipped } from "./skipped.js";

const noRedis = "Redis is not installed; `apt-get install -y redis-server` installs it";

it("a run that skipped nothing says nothing of it", () => {
  expect(linesOf([])).toEqual([]);
});

it("a run says once for each reason how many tests it skipped for it", () => {
  const lines = linesOf([
    `Redis (${noRedis}) > reconnects`,
    `a store in Redis (skipped: ${noRedis}) > keeps a key`,
    "nginx (nginx is not installed; `apt-get install -y nginx-light` installs it) > answers 502",
  ]);

  expect(lines).toEqual([
    "",
    "Skipped here, and not in CI:",
    `  2 tests: ${noRedis}`,
    "  1 test: nginx is not installed; `apt-get install -y nginx-light` installs it",
  ]);
});

it("a run names a skipped test that gives no reason", () => {
  expect(linesOf(["waits (in ms) for a `Retry-After`"])).toContain("  1 test: waits (in ms) for a `Retry-After`");
});

const modulesOf = (...names: string[]) =>
  [{ children: { allTests: () => names.map((fullName) => ({ fullName })) } }] as never;

it.each([
  ["all tests", undefined, 1],
  ["the tests that it was asked for", /redis/, 0],
])("a run of %s says what it skipped, but for what it was not asked for", (_, testNamePattern, reasons) => {
  const printed: string[] = [];
  const reporter = reportSkipped((line) => printed.push(line));

  reporter.onInit?.({ config: { testNamePattern } } as never);
  reporter.onTestRunEnd?.(modulesOf(`Redis (${noRedis}) > reconnects`), [], "passed");

  expect(printed.filter((line) => line.includes(noRedis))).toHaveLength(reasons);
});

it("CI installs what every reason for skipping names", () => {
  const ci = readFileSync(new URL("../.ci/run", import.meta.url), "utf8");
  const sources = readdirSync(new URL(".", import.meta.url), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !/node_modules|skipped|servers\.test/.test(path))
    .map((path) => readFileSync(new URL(path, import.meta.url), "utf8"));
  const folders = sources.flatMap((source) =>
    [...source.matchAll(/npm ci --prefix ([\w/-]+)/g)].map(([, folder]) => folder),
  );

  expect(new Set(folders).size).toBeGreaterThanOrEqual(2);
  for (const folder of folders) expect(ci).toContain(`--prefix ${folder}`);
});
