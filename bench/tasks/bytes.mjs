import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { contenders } from "../contenders/index.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

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
    targets: [{ contender: "{ retry }", key: "gzip", max: 4_000, unit: "B", what: "import { retry }, gzip" }],
    async weigh() {
      const { specifier } = contenders.find(({ id }) => id === "undaunted");
      const exported = Object.keys(await import(specifier)).filter((name) => name !== "retry");
      const alone = await weightOf("{ retry }", specifier);
      const rows = new Map([["{ retry }", alone]]);
      for (const name of exported.sort()) {
        const weight = await weightOf(`{ retry, ${name} }`, specifier);
        rows.set(`{ retry, ${name} }`, { ...weight, more: weight.gzip - alone.gzip });
      }
      rows.set("everything", await weightOf("*", specifier));
      rows.set("everything of undaunted/testing", await weightOf("*", "../../dist/testing.js"));
      for (const { title, specifier: peer, imports } of contenders.filter((each) => each.package && each.imports)) {
        rows.set(`${imports} of ${title}`, await weightOf(imports, peer));
      }
      return rows;
    },
  },
];

async function weightOf(imports, specifier) {
  // The library's own, so that both builds are made by one version.
  const { build } = await import("esbuild");
  const names = { "*": `export * from "${specifier}"`, default: `export { default } from "${specifier}"` };
  const { outputFiles } = await build({
    stdin: { contents: names[imports] ?? `export ${imports} from "${specifier}"`, resolveDir: here },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
  });
  const [{ contents }] = outputFiles;
  return {
    min: contents.length,
    gzip: gzipSync(contents, { level: 9 }).length,
    brotli: brotliCompressSync(contents).length,
  };
}
