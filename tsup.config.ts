import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    axios: "src/axios/index.ts",
    http: "src/http/index.ts",
    idempotency: "src/idempotency/index.ts",
    server: "src/server/index.ts",
    testing: "src/testing/index.ts",
    transient: "src/transient/index.ts",
  },
  format: ["esm", "cjs"],
  target: "es2022",
  // Entries share their modules, in both formats: an error class exists once per format.
  splitting: true,
  // typescript 6 calls the `baseUrl` that the d.ts step sets deprecated.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  clean: true,
  treeshake: false,
});
