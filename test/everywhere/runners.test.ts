import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";
import { env, here, makeProject, missing, named, node, require, root } from "./project.js";

// What docs/testing.md says of fake timers, in projects that use the published package under each test runner.

const exec = promisify(execFile);

describe.skipIf(missing)(named("a project tests code that retries"), () => {
  let project: string;

  beforeAll(async () => {
    project = await makeProject();
    for (const file of ["jest.cjs", "jest.mjs", "vitest.mjs", "node.mjs"]) {
      const [runner, kind] = file.split(".");
      const name = runner === "node" ? "node.test.mjs" : `${runner}.${kind}.test.${kind}`;
      await cp(join(here, "runners", file), join(project, name));
    }
    const time = await readFile(join(here, "runners/time.mjs"), "utf8");
    await writeFile(join(project, "time.mjs"), time);
    await writeFile(
      join(project, "time.cjs"),
      `${time.replaceAll("export async", "async")}\nmodule.exports = { sleeps, timesOut, virtual };\n`,
    );
    await mkdir(join(project, "node_modules/@jest"));
    await symlink(join(here, "node_modules/@jest/globals"), join(project, "node_modules/@jest/globals"));
    await symlink(join(root, "node_modules/vitest"), join(project, "node_modules/vitest"));
  });

  afterAll(async () => {
    if (project) await rm(project, { recursive: true, force: true });
  });

  /** What a runner printed, whatever became of it. */
  async function report(...args: string[]): Promise<string> {
    const { stdout = "", stderr = "" } = await exec(node(24), args, { cwd: project, env, timeout: PATIENCE }).catch(
      (error) => error,
    );
    return stdout + stderr;
  }

  const jest = (file: string, more: string[] = [], flags: string[] = []) =>
    report(
      ...flags,
      join(here, "node_modules/jest/bin/jest.js"),
      ...["--rootDir", project, "--testMatch", `**/${file}`, "--transform", "{}", "--ci", ...more],
    );

  it("with Jest, as CommonJS", async () => {
    expect(await jest("jest.cjs.test.cjs")).toContain("Tests:       3 passed, 3 total");
  });

  it("with Jest, as ESM", async () => {
    const printed = await jest("jest.mjs.test.mjs", [], ["--experimental-vm-modules", "--no-warnings"]);

    expect(printed).toContain("Tests:       3 passed, 3 total");
  });

  it("with Jest, in jsdom", async () => {
    const environment = ["--env", require.resolve("jest-environment-jsdom")];

    expect(await jest("jest.cjs.test.cjs", environment)).toContain("Tests:       3 passed, 3 total");
  });

  it("with Vitest", async () => {
    const vitest = join(root, "node_modules/vitest/vitest.mjs");

    expect(await report(vitest, "run", "--root", project, "vitest.mjs")).toMatch(/Tests +3 passed/);
  });

  it.each([20, 24, 26])("with node:test of Node %i", async (major) => {
    const { stdout } = await exec(node(major), ["--test", "node.test.mjs"], {
      cwd: project,
      env,
      timeout: PATIENCE,
    }).catch((error) => error);

    expect(stdout).toMatch(/^. pass 3$/m);
    expect(stdout).toMatch(/^. fail 0$/m);
  });
});
