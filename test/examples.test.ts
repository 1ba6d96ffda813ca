import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PATIENCE } from "./limits.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const examples = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".ts"));
const sourceOf = (example: string) => readFileSync(join(root, "examples", example), "utf8");

const built = mkdtempSync(join(tmpdir(), "undaunted-examples-"));
afterAll(() => rmSync(built, { recursive: true }));

// Bundled all at once, which takes less time than to start a compiler for each.
beforeAll(async () => {
  await build({
    entryPoints: examples.map((example) => join(root, "examples", example)),
    outdir: built,
    outExtension: { ".js": ".mjs" },
    tsconfig: join(root, "test/tsconfig.json"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    // What is bundled of others may require what Node has.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
});

it.each(examples)("%s prints what its last comment says", async (example) => {
  const program = join(built, example.replace(/\.ts$/, ".mjs"));

  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: PATIENCE });

  expect(stdout).toBe(promisedBy(sourceOf(example)));
});

it.each(examples)("%s asks a question in its first line and is under 40 lines", (example) => {
  const lines = sourceOf(example).trimEnd().split("\n");

  expect(lines[0]).toMatch(/^\/\/ .*\?$/);
  expect(lines.length).toBeLessThan(40);
});

/** The comment block after `// prints:`, which must be the last thing in the file. */
function promisedBy(source: string): string | undefined {
  const [, block] = /\n\/\/ prints:\n((?:\/\/ .*\n)+)$/.exec(source) ?? [];
  return block?.replace(/^\/\/ /gm, "");
}
