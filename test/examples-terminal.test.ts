import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify, stripVTControlCharacters } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { PATIENCE } from "./limits.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "undaunted-terminal-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("examples/show-progress.ts draws on a terminal which attempt failed and when the next follows", async () => {
  const program = join(folder, "program.mjs");
  await build({
    entryPoints: [join(root, "examples/show-progress.ts")],
    outfile: program,
    tsconfig: join(root, "test/tsconfig.json"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });

  // A terminal of its own, as util-linux makes one; a CI's variables would have ora draw nothing.
  const env = { PATH: process.env.PATH, TERM: "xterm", HOME: folder };
  const command = `stty cols 80 rows 24 && ${process.execPath} ${program}`;
  const { stdout } = await promisify(execFile)("script", ["-qec", command, "/dev/null"], { env, timeout: PATIENCE });

  const frames = stripVTControlCharacters(stdout);
  expect(frames).toMatch(/\S attempt 1 of 5 failed, next in 1 s/);
  expect(frames).toMatch(/\S attempt 2 of 5 failed, next in 1 s/);
  expect(frames).toContain("✔ done in attempt 3");
  expect(stdout).toContain("\u001b[");
});
