import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRIES, sourceOf } from "../entries.js";
import { blocksOfPage } from "./docs/blocks.js";
import { PATIENCE } from "./limits.js";

// What is published, as someone who installs it gets it: packed, installed into an empty project, used by processes
// that know nothing of this folder.

const exec = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (path: string) => join(root, "node_modules", path);

// npm hands its settings down through the environment, and this process may itself be a child of npm.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$)/i.test(name)));

let temporary: string;
let tarball: string;
let project: string;
let installed: string;
let packed: string[];
let manifest: { scripts?: object; sideEffects?: unknown; engines?: unknown };

beforeAll(async () => {
  if (!existsSync(join(root, "dist/index.js"))) {
    throw new Error("dist/ is missing: `npm run build` makes it, and `npm test` does so before these tests");
  }
  temporary = await mkdtemp(join(tmpdir(), "undaunted-"));
  project = join(temporary, "project");
  installed = join(project, "node_modules/undaunted");
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "project", private: true }));

  // Without its scripts: packing would build anew, under the hands of whoever reads dist/ meanwhile.
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", temporary];
  const [{ filename, files }] = JSON.parse((await exec("npm", pack, { cwd: root, env })).stdout);
  tarball = join(temporary, filename);
  packed = files.map((file: { path: string }) => file.path);
  await exec("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project, env });
  manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
});

afterAll(async () => {
  if (temporary) await rm(temporary, { recursive: true, force: true });
});

/** What an entry imports beside its own files: who asks for it has that. */
const BESIDE: Record<string, readonly string[]> = {
  axios: ["axios"],
  node: ["node:diagnostics_channel"],
  otel: ["@opentelemetry/api"],
};

/** Runs a tool; answers what it printed where it found something, else nothing. */
function complaintsOf(tool: string, ...args: string[]): Promise<string> {
  return exec(process.execPath, [tool, ...args], { env }).then(
    () => "",
    (error) => error.stdout || error.message,
  );
}

type Format = "module" | "commonjs";

/** Runs a program in the project that installed the package; answers what it printed, read as JSON. */
async function run(format: Format, program: string): Promise<unknown> {
  const flags = [`--input-type=${format}`, "--eval", program];
  const { stdout } = await exec(process.execPath, flags, { cwd: project, env, timeout: PATIENCE });
  return JSON.parse(stdout);
}

/** The statement that loads `names` from `entry` in that format. */
function load(format: Format, names: string, entry = "undaunted"): string {
  return format === "module" ? `import ${names} from "${entry}";` : `const ${names} = require("${entry}");`;
}

describe("the tarball", () => {
  it("holds the build, the papers and nothing else", () => {
    const others = packed.filter((path) => !/^dist\/[\w-]+(\.js|\.cjs|\.d\.ts|\.d\.cts)$/.test(path));

    // The pages and examples that the README leads to are at hand where it is read.
    const pages = readdirSync(join(root, "docs")).filter((name) => /\.(md|svg)$/.test(name));
    const examples = readdirSync(join(root, "examples"));
    expect(others.sort()).toEqual(
      [
        ...["CHANGELOG.md", "LICENSE", "README.md", "package.json", "policy.schema.json"],
        ...pages.map((page) => `docs/${page}`),
        ...examples.map((example) => `examples/${example}`),
        ...readdirSync(join(root, "docs/grafana")).map((file) => `docs/grafana/${file}`),
      ].sort(),
    );
  });

  it("weighs what the README says", async () => {
    const { outputFiles } = await build({
      stdin: { contents: 'export { retry } from "undaunted";', resolveDir: project },
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
    });
    const kB = gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1_000;

    const readme = await readFile(join(installed, "README.md"), "utf8");

    expect(readme).toContain(`\`import { retry }\` is ${kB.toFixed(1)} kB, gzipped`);
  });

  it.each([
    "undaunted",
    ...[
      "bullmq",
      "durable",
      "graphile-worker",
      "http",
      "idempotency",
      "pg-boss",
      "policy",
      "server",
      "testing",
      "transient",
    ].map((name) => `undaunted/${name}`),
  ])("%s holds no statement that a bundler has to keep where nothing is used", async (entry) => {
    // As if package.json did not say that importing it does nothing: modules that share a chunk are not told apart by that.
    const kept: Plugin = {
      name: "kept",
      setup: ({ onResolve, resolve }) =>
        onResolve({ filter: /.*/ }, async ({ path, pluginData, ...from }) => {
          if (pluginData) return undefined;
          const { errors, path: found } = await resolve(path, { ...from, pluginData: true });
          return { errors, path: found, sideEffects: true };
        }),
    };
    const { outputFiles, metafile } = await build({
      stdin: { contents: `import "${entry}";`, resolveDir: project },
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
      metafile: true,
      plugins: [kept],
    });

    expect(Object.keys(metafile.inputs).length).toBeGreaterThan(2);
    expect(outputFiles[0]!.text.trim()).toBe("");
  });

  it("names no folder of the machine that built it and no source map", async () => {
    const texts = await Promise.all(packed.map((path) => readFile(join(installed, path), "utf8")));

    const traces = packed.filter((_, n) => texts[n]!.includes(root) || texts[n]!.includes("sourceMappingURL"));

    expect(traces).toEqual([]);
  });

  it("brings no other package along", async () => {
    const inNodeModules = (await readdir(join(project, "node_modules"))).filter((name) => !name.startsWith("."));

    expect(inNodeModules).toEqual(["undaunted"]);
    expect(manifest).not.toHaveProperty("dependencies");
    expect(manifest).not.toHaveProperty("optionalDependencies");
  });

  it("runs no script when it is installed", () => {
    const scripts = Object.keys(manifest.scripts ?? {});

    expect(scripts.filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });

  it.each(ENTRIES.flatMap((entry) => [`${entry}.js`, `${entry}.cjs`]))(
    "imports nothing but its own files in %s, so that every runtime can load it",
    async (entry) => {
      const peers = BESIDE[entry.slice(0, entry.indexOf("."))] ?? [];
      const { metafile } = await build({
        entryPoints: [join(installed, "dist", entry)],
        bundle: true,
        // No runtime's modules are known here: an import of one does not resolve.
        platform: "neutral",
        external: [...peers],
        write: false,
        metafile: true,
        logLevel: "silent",
      });

      const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);

      const others = imports.filter(({ external, path }) => external || !path.includes("undaunted/dist/"));
      expect([...new Set(others.map(({ path }) => path))]).toEqual(peers);
    },
  );

  it("brings a command that needs nothing else", async () => {
    const policy = '{ "stop": { "stopAfterAttempt": 2 }, "wait": { "waitFixed": 250 } }';
    const command = join(project, "node_modules/.bin/undaunted");

    const { stdout } = await exec(command, ["preview", policy], { cwd: project, env });
    const simulated = await exec(command, ["simulate", policy, "--clients", "2", "--json"], { cwd: project, env });

    expect(stdout).toContain("250 ms");
    expect(JSON.parse(simulated.stdout)).toHaveLength(4);
    await expect(exec(command, ["check", "{"], { cwd: project, env })).rejects.toMatchObject({ code: 1 });
    const ended = await exec("sh", ["-c", `"${command}" --help | head -1`], { cwd: project, env });
    expect(ended).toMatchObject({ stdout: "undaunted <command> <policy> [options]\n", stderr: "" });
  });

  it("lets bundlers drop what is not imported", () => {
    expect(manifest.sideEffects).toBe(false);
  });

  it("asks for the oldest Node that it supports", () => {
    expect(manifest.engines).toEqual({ node: ">=20" });
  });

  it("has nothing that publint would change", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });

    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it("gives every way of importing it the types of the file that it gets", async () => {
    const complaints = await complaintsOf(bin("@arethetypeswrong/cli/dist/index.js"), "--profile", "node16", tarball);

    expect(complaints).toBe("");
  });

  it.each([
    ["a browser", { lib: ["es2022", "dom"], types: [] }],
    ["Node", { lib: ["es2022"], types: ["node"], typeRoots: [bin("@types")] }],
  ])("compiles in a strict ESM and CJS program for %s", async (_, platform) => {
    const program = `
      import { currentAttempt, Retry, retry, retryIfResult, stopAfterAttempt } from "undaunted";
      import { type AttemptRequest, originOf, retryFetch } from "undaunted/http";
      import { idempotent } from "undaunted/idempotency";
      import { virtualClock } from "undaunted/testing";
      import { retryIfTransient } from "undaunted/transient";

      class Users {
        @Retry({ stop: stopAfterAttempt(2) })
        async load(id: string) {
          return { id, attempt: currentAttempt().attempt };
        }
      }
      export const user: Promise<{ id: string; attempt: number }> = new Users().load("42");

      const load = retry(async (id: string) => id.length, { retryIf: retryIfResult((n) => n === 0), clock: virtualClock() });
      export const length: Promise<number> = load("42");
      // @ts-expect-error the parameters of the wrapped function are kept
      load(42);
      const prepare = async (request: AttemptRequest) => request.headers.set("x-attempt", String(request.attempt));
      export const api: typeof fetch = retryFetch({ prepare, retryIf: retryIfTransient() });
      export const answer: Promise<Response> = retryFetch()("https://example.com/", { method: "PUT", body: () => "x" });
      export const pay: (id: string) => Promise<string> = idempotent(async (id: string) => id, { key: originOf });
      // @ts-expect-error the testing entry has types too: a clock's time is a number
      export const now: string = virtualClock().now();
    `;
    const compilerOptions = { ...platform, target: "es2022", module: "node16", strict: true, skipLibCheck: false };
    const folder = await mkdtemp(join(project, "types-"));
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    await writeFile(join(folder, "program.mts"), program);
    await writeFile(join(folder, "program.cts"), program);

    const complaints = await complaintsOf(bin("typescript/bin/tsc"), "--noEmit", "--pretty", "false", "-p", folder);

    expect(complaints).toBe("");
  });
});

describe("the first hour", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const printing = [...readme.matchAll(/^```ts\n([^`]+)^```\n\n```text\n([^`]+)^```$/gm)].map(
    ([, program = "", printed = ""]) => [program.split("\n").at(-2)!, program, printed] as const,
  );
  // Delays are random.
  const withoutDelays = (text: string) => text.replaceAll(/\b[\d.]+ ms\b/g, "n ms");

  it("begins in the README with a program that fails, retries and prints its attempts", () => {
    const [first] = blocksOfPage("README.md", readme).filter(({ language }) => language === "ts");
    const [[, program, printed]] = printing as [(typeof printing)[number]];

    expect(program.trimEnd()).toBe(first!.code);
    expect(printed.match(/attempt \d failed/g)).toEqual(["attempt 1 failed", "attempt 2 failed"]);
  });

  it.each(printing)(
    "prints as an .mjs file, as it stands in the README, what stands below it: %s",
    async (_, program, printed) => {
      const file = join(project, "readme.mjs");
      await writeFile(file, program);

      const { stdout } = await exec("sh", ["-c", `exec "$0" "$1" 2>&1`, process.execPath, file], {
        cwd: project,
        env,
        timeout: PATIENCE,
      });

      expect(withoutDelays(stdout)).toBe(withoutDelays(printed));
    },
  );

  it.each(["first-retry.ts", "decorators.ts"])("runs %s of the installed examples as they say", async (example) => {
    const file = join(installed, "examples", example);

    const { stdout } = await exec(process.execPath, [bin("tsx/dist/cli.mjs"), file], {
      cwd: project,
      env,
      timeout: PATIENCE,
    });

    const [, promised = ""] = (await readFile(file, "utf8")).split("// prints:\n");
    expect(stdout).toBe(promised.replaceAll(/^\/\/ /gm, ""));
  });
});

describe.each<Format>(["module", "commonjs"])("the %s format", (format) => {
  beforeAll(async () => {
    // Who imports the entry for axios, or for OpenTelemetry, has it.
    await symlink(join(root, "node_modules/axios"), join(project, "node_modules/axios")).catch(() => {});
    await symlink(join(root, "node_modules/@opentelemetry"), join(project, "node_modules/@opentelemetry")).catch(
      () => {},
    );
  });

  it.each(ENTRIES)("exports every name of %s", async (name) => {
    const entry = name === "index" ? "undaunted" : `undaunted/${name}`;
    const source = await import(join(root, sourceOf(name)));

    const names = await run(
      format,
      `${load(format, format === "module" ? "* as all" : "all", entry)}
       console.log(JSON.stringify(Object.keys(all)));`,
    );

    expect((names as string[]).sort()).toEqual(Object.keys(source).sort());
  });

  it("retries, together with its testing entry", async () => {
    const printed = await run(
      format,
      `${load(format, "{ retry, waitFixed }")}
       ${load(format, "{ flaky, virtualClock }", "undaunted/testing")}
       const clock = virtualClock();
       const load = flaky([new Error("busy"), "ok"]);
       const call = retry(load, { wait: waitFixed(3_600_000), clock })("42");
       clock.advance(3_600_000)
         .then(() => call)
         .then((value) => console.log(JSON.stringify({ value, calls: load.calls, now: clock.now() })));`,
    );

    expect(printed).toEqual({ value: "ok", calls: [["42"], ["42"]], now: 3_600_000 });
  });

  it("has each class once, whichever entry it comes through", async () => {
    const printed = await run(
      format,
      `${load(format, "{ NonRetryableError }")}
       ${load(format, "{ flaky }", "undaunted/testing")}
       try { flaky([])(); } catch (error) { console.log(JSON.stringify(error instanceof NonRetryableError)); }`,
    );

    expect(printed).toBe(true);
  });

  it("blocks the thread where a sync function waits", async () => {
    const printed = await run(
      format,
      `${load(format, "{ retrySync, waitFixed }")}
       const slept = [];
       Atomics.wait = (...args) => slept.push(args[3]);
       let calls = 0;
       const read = () => { if (++calls < 3) throw new Error("busy"); return calls; };
       const value = retrySync(read, { wait: waitFixed(3_600_000) })();
       console.log(JSON.stringify({ value, slept }));`,
    );

    expect(printed).toEqual({ value: 3, slept: [3_600_000, 3_600_000] });
  });

  it("does nothing when it is loaded", async () => {
    const printed = await run(
      format,
      `const done = [];
       for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
         globalThis[name] = () => done.push(name);
       }
       const globals = Object.getOwnPropertyNames(globalThis);
       const listeners = () => process.eventNames().map((name) => \`\${String(name)}: \${process.listenerCount(name)}\`);
       const before = listeners();
       const load = ${format === "module" ? "(entry) => import(entry)" : "async (entry) => require(entry)"};
       load("undaunted").then(() => load("undaunted/testing")).then(() => {
         done.push(...Object.getOwnPropertyNames(globalThis).filter((name) => !globals.includes(name)));
         done.push(...listeners().filter((each) => !before.includes(each)));
         console.log(JSON.stringify(done));
       });`,
    );

    expect(printed).toEqual([]);
  });
});

describe("an ESM and a CJS copy in one process", () => {
  const both = `
    import { createRequire } from "node:module";
    import * as esm from "undaunted";
    const cjs = createRequire(process.cwd() + "/")("undaunted");
    const copies = { esm, cjs };
    let calls = 0;
    const fail = (makeError) => async () => { calls++; throw makeError(); };
    const print = () => console.log(JSON.stringify(calls));
  `;
  const pairs: [outer: string, inner: string][] = [
    ["esm", "cjs"],
    ["cjs", "esm"],
  ];

  it("an ESM and a CJS copy in one process are two copies", async () => {
    const printed = await run("module", `${both} console.log(esm.NonRetryableError === cjs.NonRetryableError);`);

    expect(printed).toBe(false);
  });

  it.each(pairs)("do not multiply: %s retries nothing that %s gave up on", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = copies.${inner}.retry(fail(() => new Error("down")), { wait: esm.waitNone });
       copies.${outer}.retry(load, { wait: esm.waitNone })().catch(print);`,
    );

    expect(calls).toBe(4);
  });

  it.each(pairs)("agree on wrapped errors: %s retries nothing whose cause %s gave up on", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = copies.${inner}.retry(fail(() => new Error("down")), { wait: esm.waitNone });
       const wrapping = () => load().catch((cause) => { throw new Error("no user", { cause }); });
       copies.${outer}.retry(wrapping, { wait: esm.waitNone })().catch(print);`,
    );

    expect(calls).toBe(4);
  });

  it.each(pairs)("agree on errors: %s obeys a NonRetryableError of %s", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = fail(() => new copies.${inner}.NonRetryableError("no such user"));
       copies.${outer}.retry(load, { wait: esm.waitNone })().catch(print);`,
    );

    expect(calls).toBe(1);
  });

  it.each(pairs)("agree on errors: %s does not retry a CircuitOpenError of %s", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = fail(() => new copies.${inner}.CircuitOpenError("open"));
       copies.${outer}.retry(load, { wait: esm.waitNone })().catch(print);`,
    );

    expect(calls).toBe(1);
  });

  it.each(pairs)("agree on errors: %s does not retry a StrategyError of %s", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = copies.${inner}.retry(fail(() => new Error("down")), { wait: () => NaN });
       copies.${outer}.retry(load, { wait: esm.waitNone })().catch(print);`,
    );

    expect(calls).toBe(1);
  });

  it.each(pairs)("agree on errors: %s tries again for a TryAgainError of %s", async (outer, inner) => {
    const calls = await run(
      "module",
      `${both}
       const load = fail(() => new copies.${inner}.TryAgainError());
       copies.${outer}.retry(load, { wait: esm.waitNone, retryIf: esm.retryNever })().catch(print);`,
    );

    expect(calls).toBe(4);
  });

  it.each(pairs)(
    "know each other's attempt: code of %s inside one of %s reads it, gives slots back and ends with it",
    async (outer, inner) => {
      const printed = await run(
        "module",
        `${both}
       const { retry } = copies.${outer};
       const once = { stop: esm.stopAfterAttempt(1) };
       const never = () => new Promise(() => {});
       const context = await retry(async () => copies.${inner}.currentAttempt().attempt, once)();
       const slots = copies.${inner}.bulkhead({ limit: 1 });
       await retry(slots.wrap(never), { ...once, attemptTimeout: 20 })().catch(() => {});
       const linked = [];
       const nested = copies.${inner}.retry(never, { onGiveUp: ({ reason }) => { linked.push(reason); } });
       await retry(() => nested(), { ...once, attemptTimeout: 20 })().catch(() => {});
       await new Promise((resolve) => setImmediate(resolve));
       console.log(JSON.stringify([context, slots.inFlight, linked]));`,
      );

      expect(printed).toEqual([1, 0, ["aborted"]]);
    },
  );

  it.each(pairs)("are observed as one: a listener of %s hears of calls and guards of %s", async (outer, inner) => {
    const printed = await run(
      "module",
      `${both}
       const seen = [];
       const stop = copies.${outer}.observe(({ type, call, attempt }) => seen.push([type, typeof call, attempt]));
       const { retry, circuitBreaker, stopAfterAttempt } = copies.${inner};
       const breaker = circuitBreaker({ consecutiveFailures: 1 });
       await retry(breaker.wrap(fail(() => new Error("down"))), { stop: stopAfterAttempt(1) })().catch(() => {});
       stop();
       await retry(async () => {})();
       console.log(JSON.stringify(seen));`,
    );

    // The breaker opens when the attempt has settled, which no copy knows from inside.
    expect(printed).toEqual([
      ["attempt", "number", 1],
      ["circuit-change", "undefined", null],
      ["give-up", "number", 1],
    ]);
  });

  it.each(pairs)("agree on predicates: %s refuses to negate a result predicate of %s", async (outer, inner) => {
    const printed = await run(
      "module",
      `${both}
       const isEmpty = copies.${inner}.retryIfResult((n) => n === 0);
       try { copies.${outer}.retryIfNot(isEmpty); } catch (error) { console.log(JSON.stringify(error.name)); }`,
    );

    expect(printed).toBe("TypeError");
  });
});

describe("a sleep in a process of its own", () => {
  const sleeping = (ms: string, unref: boolean) => `
    import { retry, waitFixed } from "undaunted";
    const seen = [];
    process.on("warning", ({ name }) => seen.push(name));
    const fail = () => { seen.push("attempt"); throw new Error("down"); };
    const onRetry = ({ delay }) => { seen.push(delay); };
    retry(fail, { wait: waitFixed(${ms}), unref: ${unref}, onRetry })();
    const isHeld = () => process.getActiveResourcesInfo().includes("Timeout");
  `;

  it("a sleep keeps the process alive", async () => {
    const printed = await run(
      "module",
      `${sleeping("3_600_000", false)}
       setImmediate(() => {
         console.log(JSON.stringify({ seen, held: isHeld() }));
         process.exit();
       });`,
    );

    expect(printed).toEqual({ seen: ["attempt", 3_600_000], held: true });
  });

  it("a sleep lets the process end where `unref` is true", async () => {
    const printed = await run(
      "module",
      `${sleeping("3_600_000", true)}
       process.on("beforeExit", () => console.log(JSON.stringify(seen)));`,
    );

    expect(printed).toEqual(["attempt", 3_600_000]);
  });

  it.each([
    [2 ** 31 - 1, false],
    [2 ** 31, false],
    [2 ** 31, true],
    [2 ** 40, false],
  ])("of %i ms is slept, whatever a timer can hold (unref: %s)", async (ms, unref) => {
    // An overflowing timer fires after 1 ms: before one of 2 ms that is set later.
    const printed = await run(
      "module",
      `${sleeping(String(ms), unref)}
       setImmediate(() => setTimeout(() => setImmediate(() => {
         console.log(JSON.stringify({ seen, held: isHeld() }));
         process.exit();
       }), 2));`,
    );

    expect(printed).toEqual({ seen: ["attempt", ms], held: !unref });
  });
});
