import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";

const exec = promisify(execFile);

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const here = fileURLToPath(new URL(".", import.meta.url));

/** Resolves what this folder has installed. */
export const require = createRequire(join(here, "package.json"));

const INSTALL = "`npm ci --prefix test/everywhere` installs them";

/** `undefined`, or a sentence that says what is missing and how it is installed. */
export const missing = existsSync(join(here, "node_modules/node-24/bin/node"))
  ? undefined
  : `the runtimes and tools of test/everywhere are not installed; ${INSTALL}`;

/** Whether all of it is run, and not the part that `npm test` has time for: `npm run everywhere`. */
export const everything = process.env.EVERYWHERE === "all";

/** A suite's title, with the reason for which it is skipped. */
export const named = (title: string): string => (missing ? `${title} (${missing})` : title);

/** The program of a Node of that major version. */
export const node = (major: number): string => join(here, `node_modules/node-${major}/bin/node`);

export const bun = join(here, "node_modules/@oven/bun-linux-x64-baseline/bin/bun");
export const deno = join(here, "node_modules/@deno/linux-x64-glibc/deno");

// npm hands its settings down through the environment, and this process may itself be a child of npm. Some tools say
// more, or in colours, where they see a test run or a terminal's wish.
export const env: Record<string, string> = {
  ...(Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|TEST|FORCE_COLOR)/i.test(name)),
  ) as Record<string, string>),
  NO_COLOR: "1",
};

/** A folder outside this repository into which the package is unpacked as npm publishes it. */
export async function makeProject(): Promise<string> {
  if (!existsSync(join(root, "dist/index.js"))) {
    throw new Error("dist/ is missing: `npm run build` makes it, and `npm test` does so before these tests");
  }
  const project = await mkdtemp(join(tmpdir(), "undaunted-everywhere-"));
  const installed = join(project, "node_modules/undaunted");
  await mkdir(installed, { recursive: true });
  // Without its scripts: packing would build anew, under the hands of whoever reads dist/ meanwhile.
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", project];
  const [{ filename }] = JSON.parse((await exec("npm", pack, { cwd: root, env })).stdout);
  await exec("tar", ["-xzf", join(project, filename), "--strip-components=1", "-C", installed]);
  await rm(join(project, filename));
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "project", private: true }));
  return project;
}

/** Lays the checks into a project, with their decorators compiled in both ways. */
export async function addChecks(project: string): Promise<void> {
  await mkdir(join(project, "suite"));
  await cp(join(here, "suite/checks.mjs"), join(project, "suite/checks.mjs"));
  for (const driver of ["run.mjs", "run.cjs"]) await cp(join(here, "drivers", driver), join(project, driver));
  const source = await readFile(join(here, "suite/decorated.ts"), "utf8");
  for (const way of ["standard", "legacy"]) {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        experimentalDecorators: way === "legacy",
      },
    });
    await writeFile(join(project, `suite/decorated.${way}.mjs`), outputText);
  }
}
