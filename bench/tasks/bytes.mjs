import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { contenders } from "../contenders/index.mjs";
import { ledger } from "../ledger.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const source = fileURLToPath(new URL("../../src/", import.meta.url));

const QUIET = { bundle: true, write: false, format: "esm", metafile: true };

/** Weighs bundles; nothing runs, so it takes no child process and no rounds. */
export const bytes = [
  {
    name: "bytes",
    title: "bytes of a bundle, minified",
    columns: [
      { key: "min", title: "min, B", digits: 0 },
      { key: "gzip", title: "gzip, B", digits: 0 },
      { key: "brotli", title: "brotli, B", digits: 0 },
      { key: "more", title: "gzip, B more", digits: 0 },
    ],
    targets: [
      { contender: "{ retry }", key: "gzip", max: 7_000, unit: "B", what: "import { retry }, gzip" },
      { contender: "{ circuitBreaker }", key: "gzip", max: 7_600, unit: "B", what: "import { circuitBreaker }, gzip" },
    ],
    async weigh() {
      const { specifier } = contenders.find(({ id }) => id === "undaunted");
      const exported = Object.keys(await import(specifier)).filter((name) => name !== "retry");
      const alone = await weightOf("{ retry }", specifier);
      const rows = new Map([["{ retry }", alone]]);
      for (const name of exported.sort()) {
        const weight = await weightOf(`{ retry, ${name} }`, specifier);
        rows.set(`{ retry, ${name} }`, { ...weight, more: weight.gzip - alone.gzip });
      }
      rows.set("{ circuitBreaker }", await weightOf("{ circuitBreaker }", specifier));
      rows.set("everything", await weightOf("*", specifier));
      rows.set("everything of undaunted/testing", await weightOf("*", "../../dist/testing.js"));
      for (const { title, specifier: peer, imports } of contenders.filter((each) => each.package && each.imports)) {
        rows.set(`${imports} of ${title}`, await weightOf(imports, peer));
      }
      return rows;
    },
  },
  {
    name: "parts",
    title: "what { retry } weighs less without a file",
    columns: [{ key: "gzip", title: "gzip, B", digits: 0 }],
    targets: [],
    note: () =>
      "Each file in turn replaced by its names alone. What only that file needs falls away with it, and what two files share\n" +
      "stays with the other, so these do not add up to the whole.",
    async weigh() {
      const entry = `${source}index.ts`;
      const whole = await bundle("{ retry }", entry);
      const { gzip } = weigh(whole);
      const parts = [];
      for (const file of whole.files) {
        const without = await bundle("{ retry }", entry, await replacing(file));
        parts.push([relative(source, file), { gzip: gzip - weigh(without).gzip }]);
      }
      return new Map(parts.sort(([, one], [, other]) => other.gzip - one.gzip));
    },
  },
  {
    name: "ledger",
    title: "what each step added to a bundle",
    columns: [
      { key: "retry", title: "{ retry }, gzip, B", digits: 0 },
      { key: "breaker", title: "{ circuitBreaker }, gzip, B", digits: 0 },
    ],
    targets: [],
    note: () =>
      "Each step is a commit, bundled and weighed as it was. What added or took less than 25 B of both is in the last row; see\n" +
      "decision 36 for what they bought.",
    weigh: () => ledger(weighSource),
  },
];

/** Puts a module in a file's place that exports the same names, and nothing behind them. */
async function replacing(file) {
  const { build } = await import("esbuild");
  const { metafile } = await build({ ...QUIET, entryPoints: [file], outdir: here });
  const [{ exports }] = Object.values(metafile.outputs);
  // No constants: those would be written out where they are used.
  const contents = `export let ${exports.join(", ")};`;
  return {
    name: "replacing",
    setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, ({ path }) => (path === file ? { contents } : undefined)),
  };
}

/** gzip of one import from the source as it is. */
async function weighSource(imports) {
  return weigh(await bundle(imports, `${source}index.ts`)).gzip;
}

async function weightOf(imports, specifier) {
  return weigh(await bundle(imports, specifier));
}

function weigh({ contents }) {
  return {
    min: contents.length,
    gzip: gzipSync(contents, { level: 9 }).length,
    brotli: brotliCompressSync(contents).length,
  };
}

/** A bundle's code, and the files that it comes from. */
async function bundle(imports, specifier, ...plugins) {
  // The library's own, so that both builds are made by one version.
  const { build } = await import("esbuild");
  const names = { "*": `export * from "${specifier}"`, default: `export { default } from "${specifier}"` };
  const { outputFiles, metafile } = await build({
    stdin: { contents: names[imports] ?? `export ${imports} from "${specifier}"`, resolveDir: here },
    ...QUIET,
    minify: true,
    plugins,
  });
  const [{ contents }] = outputFiles;
  const [{ inputs }] = Object.values(metafile.outputs);
  const parts = Object.entries(inputs).filter(([name, { bytesInOutput }]) => name !== "<stdin>" && bytesInOutput > 0);
  return { contents, files: parts.map(([name]) => resolve(name)) };
}
