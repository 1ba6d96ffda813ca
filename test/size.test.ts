import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const resolveDir = fileURLToPath(new URL("../src", import.meta.url));

it("the README says what { retry } weighs", async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export { retry } from "./index.js";', resolveDir },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  const kB = gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1_000;

  expect(readme).toContain(`\`import { retry }\` is ${kB.toFixed(1)} kB, gzipped`);
});
