import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { defineConfig, type Plugin } from "vitest/config";
import { HOOK_TIMEOUT, PATIENCE, TEST_TIMEOUT } from "./test/limits.ts";
import { reportSkipped } from "./test/skipped.ts";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

const alias = [
  { find: /^undaunted$/, replacement: source("index.ts") },
  { find: /^undaunted\/([\w-]+)$/, replacement: source("$1/index.ts") },
];

// Vite leaves TC39 decorators as they are, and Node cannot parse them yet.
const lowerDecorators: Plugin = {
  name: "lower-decorators",
  enforce: "pre",
  async transform(code, id) {
    if (!/\.(both|standard)\.test\.ts$/.test(id)) return null;
    return transform(code, { loader: "ts", target: "es2022", sourcemap: "inline", sourcefile: id });
  },
};

// Nest and others, whose own folder may not have been installed: test/frameworks/installed.test.ts says so then.
const frameworks = "test/frameworks/installed";

// Where `.ci/run` reads how many tests passed.
const results = process.env.TEST_RESULTS;

const limits = { testTimeout: TEST_TIMEOUT, hookTimeout: HOOK_TIMEOUT, expect: { poll: { timeout: PATIENCE } } };

export default defineConfig({
  test: {
    reporters: [
      "default",
      ...(results ? [["json", { outputFile: results }] as ["json", object]] : []),
      reportSkipped(),
    ],
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "json"] },
    projects: [
      {
        resolve: { alias },
        plugins: [lowerDecorators],
        test: {
          ...limits,
          name: "main",
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/**/*.legacy.test.ts",
            "test/orms/**",
            "test/engines/**",
            `${frameworks}/**`,
            "**/node_modules/**",
          ],
        },
      },
      {
        resolve: { alias },
        oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
        test: { ...limits, name: "legacy decorators", include: ["test/**/*.{both,legacy}.test.ts"] },
      },
      ...(existsSync(new URL(`${frameworks}/node_modules`, import.meta.url))
        ? [
            {
              resolve: { alias },
              oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
              test: { ...limits, name: "frameworks", include: [`${frameworks}/*.test.ts`] },
            },
          ]
        : []),
    ],
  },
});
