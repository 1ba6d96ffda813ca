import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

const results = process.env.TEST_RESULTS;

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  resolve: {
    alias: [
      { find: /^undaunted$/, replacement: source("index.ts") },
      { find: /^undaunted\/(testing|transient)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    ...(results && { reporters: ["default", ["json", { outputFile: results }]] }),
    include: ["**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 180_000,
    // The servers are shared, and ORMs tell of some lost connections where nobody listens.
    fileParallelism: false,
    dangerouslyIgnoreUnhandledErrors: true,
  },
});
