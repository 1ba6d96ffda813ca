import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { PATIENCE, TEST_TIMEOUT } from "../limits.js";
import { NEWEST } from "../peers.js";

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const exactly = (name: string) => new RegExp(`^${name}$`);

/** The comparison with the newest peers, which want a newer Node than the rest of the tests: see peers.test.ts. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^undaunted$/, replacement: source("index.ts") },
      { find: /^undaunted\/([\w-]+)$/, replacement: source("$1/index.ts") },
      ...Object.entries(NEWEST).map(([name, replacement]) => ({ find: exactly(name), replacement })),
    ],
  },
  test: {
    include: ["test/comparison.test.ts", "test/http/comparison.test.ts"],
    testTimeout: TEST_TIMEOUT,
    expect: { poll: { timeout: PATIENCE } },
  },
});
