import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { PATIENCE } from "../limits.js";
import { bun, deno, env, here, node, require } from "./project.js";
import type { Loopback } from "./server.js";

const exec = promisify(execFile);

export type Format = "esm" | "cjs";

/** What each check found out, by its sentence. */
export type Found = Readonly<Record<string, unknown>>;

export interface Place {
  readonly project: string;
  readonly format: Format;
  readonly loopback: Loopback;
}

export interface Runtime {
  /** As the table calls it. */
  readonly name: string;
  /** What it is, where its name does not say so. */
  readonly about?: string;
  /** What is not installed here, and how it is. */
  readonly missing?: string | undefined;
  version(): Promise<string>;
  run(place: Place): Promise<Found>;
}

const output = async (file: string, ...args: string[]): Promise<string> =>
  (await exec(file, args, { env, timeout: PATIENCE })).stdout.trim();

const found = async (file: string, args: string[], cwd: string): Promise<Found> =>
  JSON.parse((await exec(file, args, { cwd, env, timeout: PATIENCE })).stdout);

const driver = (name: string) => join(here, "drivers", name);
const versionOf = async (name: string): Promise<string> => require(`${name}/package.json`).version;

/** A runtime that loads packages from node_modules and runs a file. */
function program(name: string, file: string, args: string[], version: () => Promise<string>): Runtime {
  return {
    name,
    version,
    run: ({ project, format, loopback: { url, refused } }) =>
      found(file, [...args, format === "esm" ? "run.mjs" : "run.cjs", url, refused, `${name}-${format}`], project),
  };
}

const nodes = [20, 22, 24, 26].map((major) =>
  program(`Node ${major}`, node(major), [], () => versionOf(`node-${major}`)),
);

function workerd(name: string, about: string, date: string): Runtime {
  return {
    name,
    about,
    version: () => versionOf("workerd"),
    run: ({ project, format, loopback: { url, refused } }) =>
      found(node(24), [driver("workerd.mjs"), project, format, date, url, refused, `${name}-${format}`], project),
  };
}

const bare: Runtime = {
  name: "bare",
  about:
    "a realm with what React Native's engine has: no `process`, `crypto`, `MessageChannel`, `DOMException`, streams or `Atomics`; " +
    "a `URL` without `origin`; abort-controller and whatwg-fetch over an `XMLHttpRequest`",
  version: async () =>
    `abort-controller ${await versionOf("abort-controller")}, whatwg-fetch ${await versionOf("whatwg-fetch")}`,
  run: ({ project, format, loopback: { url, refused } }) =>
    found(
      node(24),
      [
        "--experimental-vm-modules",
        "--no-warnings",
        driver("bare.mjs"),
        project,
        format,
        url,
        refused,
        `bare-${format}`,
      ],
      project,
    ),
};

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const ENTRIES = {
  core: "index",
  http: "http",
  idempotency: "idempotency",
  serverSide: "server",
  testing: "testing",
  transient: "transient",
};

const chromium: Runtime = {
  name: "Chromium",
  missing: existsSync(CHROMIUM) ? undefined : "`apt-get install -y chromium` installs it",
  version: async () => (await output(CHROMIUM, "--version")).replace(/^Chromium (\S+).*$/s, "$1"),
  async run({ project, format, loopback }) {
    const page = await (format === "esm" ? servePage(project, loopback) : serveBundle(project, loopback));
    return found(node(24), [driver("chromium.mjs"), CHROMIUM, page], project);
  },
};

const ending = (loopback: Loopback, format: Format) =>
  `runChecks({ ...entries, decorated, fetch: (...args) => fetch(...args), server: ${JSON.stringify(loopback.url)},
     refused: ${JSON.stringify(loopback.refused)}, run: "chromium-${format}" })`;

/** The ESM build as it is, without a bundler. */
async function servePage(project: string, loopback: Loopback): Promise<string> {
  const dist = join(project, "node_modules/undaunted/dist");
  for (const file of readdirSync(dist).filter((file) => file.endsWith(".js"))) {
    loopback.serve(`/dist/${file}`, "text/javascript", readFileSync(join(dist, file), "utf8"));
  }
  for (const file of readdirSync(join(project, "suite"))) {
    loopback.serve(`/suite/${file}`, "text/javascript", readFileSync(join(project, "suite", file), "utf8"));
  }
  const imports = Object.entries(ENTRIES).map(([name, file]) => `import * as ${name} from "/dist/${file}.js";`);
  const script = `
    ${imports.join("\n")}
    import { runChecks } from "/suite/checks.mjs";
    import legacy from "/suite/decorated.legacy.mjs";
    import standard from "/suite/decorated.standard.mjs";
    const entries = { ${Object.keys(ENTRIES).join(", ")} };
    const decorated = { legacy, standard };
    resolveFound(${ending(loopback, "esm")});`;
  return serve(loopback, "/esm.html", "module", script);
}

/** The CommonJS build, bundled. */
async function serveBundle(project: string, loopback: Loopback): Promise<string> {
  const entries = Object.entries(ENTRIES).map(
    ([name, file]) => `${name}: require("./node_modules/undaunted/dist/${file}.cjs")`,
  );
  const contents = `
    const entries = { ${entries.join(", ")} };
    const { runChecks } = require("./suite/checks.mjs");
    const legacy = require("./suite/decorated.legacy.mjs").default;
    const standard = require("./suite/decorated.standard.mjs").default;
    const decorated = { legacy, standard };
    resolveFound(${ending(loopback, "cjs")});`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: project },
    bundle: true,
    write: false,
    format: "iife",
  });
  return serve(loopback, "/cjs.html", "text/javascript", outputFiles[0]!.text);
}

function serve(loopback: Loopback, path: string, type: string, script: string): string {
  loopback.serve(`${path}.js`, "text/javascript", script);
  loopback.serve(
    path,
    "text/html",
    `<!doctype html><script>let resolveFound; const found = new Promise((resolve) => (resolveFound = resolve));</script>
     <script type="${type}" src="${path}.js"></script>`,
  );
  return `${loopback.url}${path}`;
}

export const RUNTIMES: readonly Runtime[] = [
  ...nodes,
  program("Bun", bun, [], () => output(bun, "--version")),
  program("Deno", deno, ["run", "--allow-all", "--node-modules-dir=manual", "--no-lock"], async () =>
    (await output(deno, "--version")).replace(/^deno (\S+).*$/s, "$1"),
  ),
  workerd("workerd 2022", "compatibility date 2022-11-01", "2022-11-01"),
  workerd("workerd 2026", "compatibility date 2026-07-01", "2026-07-01"),
  chromium,
  bare,
];
