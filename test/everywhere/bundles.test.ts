import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { PATIENCE } from "../limits.js";
import { readPart, records, tableOf, writePart } from "./page.js";
import { env, here, makeProject, missing, named, node, root } from "./project.js";

// What docs/runtimes.md says of bundlers: each drops what is not imported.

const exec = promisify(execFile);
const LIMIT = Number.parseFloat(manifest["size-limit"].find(({ name }) => name === "{ retry }")!.limit) * 1_000;

describe.skipIf(missing)(named("a bundle of `{ retry }`"), () => {
  let project: string;
  let made: Record<string, number>;
  let versions: Record<string, string>;

  beforeAll(async () => {
    project = await makeProject();
    await writeFile(join(project, "entry.mjs"), 'import { retry } from "undaunted";\nglobalThis.retry = retry;\n');
    const driver = join(here, "drivers/bundle.mjs");
    const { stdout } = await exec(node(24), [driver, project, root], { env, timeout: PATIENCE });
    ({ made, versions } = JSON.parse(stdout));
  });

  afterAll(async () => {
    if (project) await rm(project, { recursive: true, force: true });
  });

  it.each(["esbuild", "Rollup", "webpack", "Vite"])(
    "weighs by %s what it may weigh, and a twentieth more at most",
    (name) => {
      expect(made[name]).toBeLessThan(LIMIT * 1.05);
      expect(made[name]).toBeGreaterThan(LIMIT / 2);
    },
  );

  it("has its table in docs/runtimes.md, whatever the numbers", () => {
    const rows = Object.entries(made).map(([name, bytes]) => [
      `${name} ${versions[name]}`,
      `${(bytes / 1_000).toFixed(1)} kB`,
    ]);
    const table = tableOf(["", "`{ retry }`, minified and gzipped"], rows);
    if (records) writePart("bundles", table);

    expect(withoutNumbers(readPart("bundles"))).toBe(withoutNumbers(table));
  });
});

function withoutNumbers(table: string): string {
  return table.replace(/\d+(\.\d+)+/g, "n");
}
