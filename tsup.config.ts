import { defineConfig } from "tsup";
import { ENTRIES, sourceOf } from "./entries.ts";

export default defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, sourceOf(entry)])),
  format: ["esm", "cjs"],
  target: "es2022",
  // Entries share their modules, in both formats: an error class exists once per format.
  splitting: true,
  // typescript 6 calls the `baseUrl` that the d.ts step sets deprecated.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  clean: true,
  treeshake: false,
});
