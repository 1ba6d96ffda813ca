import { existsSync } from "node:fs";
import { expect, it } from "vitest";

// What Nest and others need is in a folder of its own, whose tests are a project of vitest.config.ts where it is installed.

const installed = existsSync(new URL("installed/node_modules", import.meta.url));
const missing = installed ? "" : " (`npm ci --prefix test/frameworks/installed` installs them)";

it.skipIf(!installed)(`the recipes for Nest, containers and React are tested by their own frameworks${missing}`, () => {
  expect(installed).toBe(true);
});
