import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOfPage, read } from "../docs/blocks.js";
import { PATIENCE } from "../limits.js";
import { bun, deno, env, here, makeProject, missing, named, node, root } from "./project.js";

// What docs/decorators.md says of each compiler: its settings stand there, and its class is compiled and run.

const exec = promisify(execFile);
const page = "docs/decorators.md";
const text = read(page);

/** The blocks of one section, by its heading; of "" the page's beginning. */
function blocksOf(heading: string, language: string): readonly string[] {
  const [, ...sections] = `\n# ${text}`.split(/\n##? /);
  const section = heading === "" ? sections[0]! : sections.find((each) => each.startsWith(`${heading}\n`))!;
  return blocksOfPage(page, section)
    .filter((block) => block.language === language)
    .map(({ code }) => code);
}

/** A block that ends in `await value; // => "…"`, as a program that prints the value. */
const printing = (code: string) => code.replace(/^await (.*); \/\/ => .*$/m, "console.log(await $1);");

const [classOfPage] = blocksOf("", "ts");
// A decorator of its own says as what it was called.
const says = "const mode = (...args: any[]) => console.log(args.length === 2 ? 'standard' : 'legacy');\n";
const program = `${says}${printing(classOfPage!).replace("  @Retry(", "  @mode\n  @Retry(")}`;
const printed = (mode: Mode) => `${mode}\n42 at attempt 2`;
const MODES = ["standard", "legacy"] as const;
type Mode = (typeof MODES)[number];

describe.skipIf(missing)(named("the class of docs/decorators.md"), () => {
  let project: string;

  beforeAll(async () => {
    project = await makeProject();
    // The compilers' configurations look for what they name beside themselves.
    await mkdir(join(project, "node_modules/@babel"));
    const link = (from: string, name: string) =>
      symlink(join(from, "node_modules", name), join(project, "node_modules", name));
    for (const name of ["@babel/core", "@babel/preset-typescript", "@babel/plugin-proposal-decorators"])
      await link(here, name);
    for (const name of ["esbuild", "vite", "vitest"]) await link(root, name);
  });

  afterAll(async () => {
    if (project) await rm(project, { recursive: true, force: true });
  });

  /** A folder with the class, and with more files. */
  async function folderWith(files: Record<string, string>): Promise<string> {
    const folder = await mkdtemp(join(project, "class-"));
    for (const [name, code] of Object.entries({
      "users.ts": program,
      "package.json": '{ "type": "module" }',
      ...files,
    })) {
      await writeFile(join(folder, name), code);
    }
    return folder;
  }

  const run = (file: string, args: readonly string[], cwd: string) => exec(file, args, { cwd, env, timeout: PATIENCE });
  const prints = async (folder: string, file: string, ...args: string[]) =>
    (await run(node(24), [...args, file], folder)).stdout.trim();

  /** The settings of a mode, which stand in this order. */
  const settings = (heading: string, language: string, mode: Mode) => {
    const both = blocksOf(heading, language);
    expect(both).toHaveLength(2);
    return both[MODES.indexOf(mode)]!;
  };

  it.each(MODES)("is compiled by tsc with its settings: %s", async (mode) => {
    const folder = await folderWith({ "tsconfig.json": settings("tsc", "json", mode) });

    await run(node(24), [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], folder);

    expect(await prints(folder, "users.js")).toBe(printed(mode));
  });

  it.each(MODES)("is compiled by swc with its settings: %s", async (mode) => {
    const folder = await folderWith({ ".swcrc": settings("swc", "json", mode) });
    const swc = join(here, "node_modules/@swc/core/index.js");
    const script = `require(${JSON.stringify(swc)}).transformFile("users.ts", { swcrc: true }).then(({ code }) =>
      require("node:fs").writeFileSync("users.mjs", code))`;

    await run(node(24), ["--eval", script], folder);

    expect(await prints(folder, "users.mjs")).toBe(printed(mode));
  });

  it.each(MODES)("is compiled by Babel with its settings: %s", async (mode) => {
    const folder = await folderWith({ "babel.config.json": settings("Babel", "json", mode) });
    const script = `import { transformFileAsync } from "@babel/core"; import { writeFileSync } from "node:fs";
      writeFileSync("users.mjs", (await transformFileAsync("users.ts", { cwd: process.cwd() })).code);`;

    await run(node(24), ["--input-type=module", "--eval", script], folder);

    expect(await prints(folder, "users.mjs")).toBe(printed(mode));
  });

  const tsconfig = (mode: Mode) => (mode === "legacy" ? { "tsconfig.json": settings("tsc", "json", mode) } : {});

  it.each(MODES)("is compiled by esbuild with its settings: %s", async (mode) => {
    const folder = await folderWith(tsconfig(mode));
    const [command] = blocksOf("esbuild", "sh");
    const [, ...args] = command!.trim().split(" ");

    await run(join(root, "node_modules/esbuild/bin/esbuild"), args, folder);

    expect(await prints(folder, "users.mjs")).toBe(printed(mode));
  });

  it.each(MODES)("is run by tsx: %s", async (mode) => {
    const folder = await folderWith(tsconfig(mode));

    const { stdout } = await run(process.execPath, [join(root, "node_modules/tsx/dist/cli.mjs"), "users.ts"], folder);

    expect(stdout.trim()).toBe(printed(mode));
  });

  it.each(MODES)("is built by Vite with its settings: %s", async (mode) => {
    const folder = await folderWith({ "vite.config.ts": settings("Vite and Vitest", "ts", mode) });

    await run(
      node(24),
      [join(root, "node_modules/vite/bin/vite.js"), "build", "--ssr", "users.ts", "--logLevel", "error"],
      folder,
    );

    expect(await prints(folder, "dist/users.js")).toBe(printed(mode));
  });

  it.each(MODES)("is tested by Vitest with its settings: %s", async (mode) => {
    const config = settings("Vite and Vitest", "ts", mode).replace('"vite"', '"vitest/config"');
    const test = `import { expect, it } from "vitest";\n${program.replace(/^console\.log\((.*)\);$/m, "it('retries', async () => expect($1).toBe('42 at attempt 2'));")}`;
    const folder = await folderWith({ "vitest.config.ts": config, "users.test.ts": test });

    const { stdout } = await run(
      node(24),
      [join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", folder],
      folder,
    );

    expect(stdout).toContain("1 passed");
    expect(stdout.split("\n")).toContain(mode);
  });

  it.each(MODES)("is run by Bun: %s", async (mode) => {
    const folder = await folderWith(tsconfig(mode));

    const { stdout } = await run(bun, ["users.ts"], folder);

    expect(stdout.trim()).toBe(printed(mode));
  });

  it.each(MODES)("is run by Deno: %s", async (mode) => {
    const options = mode === "legacy" ? { compilerOptions: { experimentalDecorators: true } } : {};
    const folder = await folderWith({ "deno.json": JSON.stringify({ nodeModulesDir: "manual", ...options }) });
    await symlink(join(project, "node_modules"), join(folder, "node_modules"));

    const { stdout } = await run(deno, ["run", "--allow-all", "--no-lock", "users.ts"], folder);

    expect(stdout.trim()).toBe(printed(mode));
  });

  it.each([24, 26])("is a SyntaxError to Node %i, which only takes types away", async (major) => {
    const folder = await folderWith({});

    const failed = await run(node(major), ["users.ts"], folder).catch((error) => error);

    expect(failed.stderr).toContain("SyntaxError: Invalid or unexpected token");
  });

  it.each([22, 24, 26])("is run by Node %i without a compiler, written with retry", async (major) => {
    const [instead] = blocksOf("Node's type stripping", "ts");
    const folder = await folderWith({ "instead.ts": printing(instead!) });

    const { stdout } = await run(node(major), ["--no-warnings", "instead.ts"], folder);

    expect(stdout.trim()).toBe("42 at attempt 2");
  });
});
