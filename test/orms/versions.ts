import { existsSync, readFileSync } from "node:fs";
import type { Stack } from "./stacks/index.js";

/** The packages of a stack with the versions that are installed: of a driver, the one that the packages before it bring along. */
export function versionsOf({ packages }: Stack): string {
  return packages.map((name, at) => `${name} ${versionOf(name, packages.slice(0, at))}`).join(", ");
}

function versionOf(name: string, by: readonly string[]): string {
  const folders = [...by.map((each) => `node_modules/${each}/node_modules`), "node_modules"];
  const files = folders.map((folder) => new URL(`${folder}/${name}/package.json`, import.meta.url));
  return JSON.parse(readFileSync(files.find((file) => existsSync(file))!, "utf8")).version;
}
