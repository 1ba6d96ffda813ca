import { fileURLToPath } from "node:url";
import manifest from "../package.json" with { type: "json" };
import everywhere from "./everywhere/package.json" with { type: "json" };

// The comparison is run twice: with the newest peers that support Node 20, and, on Node 24, with the newest there are
// (test/everywhere/peers.test.ts), which stand in the same tables.

/** Whether the newest there are stand in for the others. */
export const newest = process.env.NEWEST_PEERS === "1";

const installed: Readonly<Record<string, string>> = newest ? everywhere.dependencies : manifest.devDependencies;

/** Major and minor version of the peer that is run. */
export function versionOf(peer: string): string {
  return installed[peer]!.split(".").slice(0, 2).join(".");
}

const file = (path: string) => fileURLToPath(new URL(`everywhere/node_modules/${path}`, import.meta.url));

/** The newest peers' files. */
export const NEWEST: Readonly<Record<string, string>> = {
  "p-retry": file("p-retry/index.js"),
  cockatiel: file("cockatiel/dist/index.js"),
  ky: file("ky/distribution/index.js"),
  got: file("got/dist/source/index.js"),
  undici: file("undici/index.js"),
};
