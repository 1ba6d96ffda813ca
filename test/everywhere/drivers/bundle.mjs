// Bundles `entry.mjs` of a project with each bundler, minified: `node bundle.mjs <project> <root of this repository>`
// prints how many bytes each made of it, gzipped.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { rollup } from "rollup";
import webpack from "webpack";

const [project, root] = process.argv.slice(2);
const ofRoot = createRequire(join(root, "package.json"));
const esbuild = ofRoot("esbuild");
const vite = await import(pathToFileURL(join(root, "node_modules/vite/dist/node/index.js")).href);

const entry = join(project, "entry.mjs");
const minified = async (code) =>
  (await esbuild.transform(code, { minify: true, format: "esm", target: "es2022" })).code;

const bundlers = {
  async esbuild() {
    const options = { entryPoints: [entry], bundle: true, minify: true, format: "esm", write: false };
    return (await esbuild.build(options)).outputFiles[0].text;
  },
  async Rollup() {
    const bundle = await rollup({ input: entry, plugins: [nodeResolve()] });
    const { output } = await bundle.generate({ format: "esm" });
    return minified(output[0].code);
  },
  async webpack() {
    const path = join(project, "webpack");
    const config = { mode: "production", entry, output: { path, filename: "out.js" }, target: "web" };
    await new Promise((resolve, reject) =>
      webpack(config, (error, stats) => {
        const fault = error ?? (stats.hasErrors() ? new Error(stats.toString("errors-only")) : undefined);
        return fault ? reject(fault) : resolve();
      }),
    );
    return readFileSync(join(path, "out.js"), "utf8");
  },
  async Vite() {
    const outDir = join(project, "vite");
    const rollupOptions = { input: entry, output: { entryFileNames: "out.js" } };
    await vite.build({ root: project, logLevel: "error", build: { outDir, modulePreload: false, rollupOptions } });
    const [file] = readdirSync(outDir).filter((name) => name.endsWith(".js"));
    return readFileSync(join(outDir, file), "utf8");
  },
};

const made = {};
for (const [name, bundle] of Object.entries(bundlers)) made[name] = gzipSync(await bundle(), { level: 9 }).length;
const versions = {
  esbuild: esbuild.version,
  Rollup: (await import("rollup")).VERSION,
  webpack: webpack.version,
  Vite: vite.version,
};
console.log(JSON.stringify({ made, versions }));
