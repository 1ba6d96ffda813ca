import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

const results = process.env.TEST_RESULTS;

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  resolve: {
    alias: [
      { find: /^undaunted$/, replacement: source("index.ts") },
      { find: /^undaunted\/([\w-]+)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    ...(results && { reporters: ["default", ["json", { outputFile: results }]] }),
    include: ["**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Each engine has its servers, and a machine of two cores has room for a worker of each.
    fileParallelism: true,
    maxWorkers: 3,
  },
});
