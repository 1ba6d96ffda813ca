import { defineConfig } from "tsup";
import { ENTRIES, sourceOf } from "./entries.ts";

const entries = defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, sourceOf(entry)])),
  format: ["esm", "cjs"],
  target: "es2022",
  // Entries share their modules, in both formats: an error class exists once per format.
  splitting: true,
  // typescript 6 calls the `baseUrl` that the d.ts step sets deprecated. `undaunted/node` imports what Node's types declare.
  dts: { compilerOptions: { ignoreDeprecations: "6.0", types: ["node"] } },
  // `node:` says that it is the runtime's, also where a package has that name.
  removeNodeProtocol: false,
  treeshake: false,
});

// The command is a user of the package like any other: it imports the ways in by their names.
const command = defineConfig({
  entry: { cli: "src/cli/index.ts" },
  format: "esm",
  target: "node20",
  external: [/^undaunted/],
  tsconfig: "src/cli/tsconfig.json",
});

export default [entries, command];
