import { readFileSync } from "node:fs";

const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

/** The package's ways in, `index` first, as package.json lists them: each is `src/<name>/index.ts`, but for `src/index.ts`. */
export const ENTRIES: readonly string[] = Object.keys(exports)
  .filter((path) => !path.endsWith(".json"))
  .map((path) => (path === "." ? "index" : path.slice(2)));

/** The source file of an entry, from the project's root. */
export const sourceOf = (entry: string): string => (entry === "index" ? "src/index.ts" : `src/${entry}/index.ts`);
