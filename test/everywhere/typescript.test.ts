import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRIES } from "../../entries.js";
import { PATIENCE } from "../limits.js";
import { env, everything, here, makeProject, missing, named, node, root } from "./project.js";

// The published types, under every TypeScript that is supported, every way of finding a module and both kinds of
// decorators, with the strictest settings, unskipped, and without the DOM's types.

const exec = promisify(execFile);
const VERSIONS = ["5.4", "5.9", "6.0", "7.0"] as const;
type Version = (typeof VERSIONS)[number];

interface Way {
  readonly module: string;
  readonly moduleResolution: string;
  readonly files: readonly string[];
  /** Not where it is gone. */
  readonly until?: Version;
}

const WAYS: readonly Way[] = [
  { module: "nodenext", moduleResolution: "nodenext", files: ["program.mts", "program.cts"] },
  { module: "node16", moduleResolution: "node16", files: ["program.mts", "program.cts"] },
  { module: "esnext", moduleResolution: "bundler", files: ["program.ts"] },
  { module: "commonjs", moduleResolution: "node10", files: ["program.ts"], until: "5.9" },
];

const STRICTEST = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noFallthroughCasesInSwitch: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  isolatedModules: true,
  skipLibCheck: false,
};

const program = `
import { bulkhead, circuitBreaker, currentAttempt, Retry, type RetryOptions, retry, retryBudget, RetrySync, stopAfterAttempt } from "undaunted";
import { type AttemptRequest, originOf, retryFetch } from "undaunted/http";
import { Idempotent, idempotent } from "undaunted/idempotency";
import { idempotentHandler } from "undaunted/server";
import { flaky, virtualClock } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";

const breaker = circuitBreaker({ name: "users" });
const slots = bulkhead({ limit: 2 });
const policy: RetryOptions<{ id: string }> = { stop: stopAfterAttempt(2), budget: retryBudget() };

export class Users {
  @Retry({ ...policy, retryIf: retryIfTransient() })
  async load(id: string): Promise<{ id: string; attempt: number }> {
    return { id, attempt: currentAttempt().attempt };
  }

  @breaker.wrap
  @slots.wrap
  async find(name: string): Promise<string[]> {
    return [name];
  }

  @Idempotent({ key: (id: string) => id })
  async pay(id: string): Promise<string> {
    return id;
  }

  @RetrySync()
  read(n: number): number {
    return n;
  }
}

export const load = retry(flaky([new Error("busy"), 1]), { clock: virtualClock() });
export const length: Promise<number> = retry(async (id: string) => id.length)("42");
export const charge: (id: string) => Promise<string> = idempotent(async (id: string) => id, { key: originOf });
const prepare = (request: AttemptRequest): void => void request.headers.set("x-attempt", String(request.attempt));
export const api: typeof fetch = retryFetch({ prepare });
export const handler: typeof idempotentHandler = idempotentHandler;

// @ts-expect-error the parameters of a wrapped function are kept
void retry(async (id: string) => id)(42);
// @ts-expect-error an unknown option
void retry(async () => 1, { retries: 3 });

class Wrong {
  // @ts-expect-error a method that returns no promise is not retried
  @Retry()
  load(id: string): string {
    return id;
  }
}
void Wrong;
`;

describe.skipIf(missing)(named("the published types"), () => {
  let project: string;

  beforeAll(async () => {
    project = await makeProject();
    await symlink(join(root, "node_modules/@types"), join(project, "node_modules/@types"));
    await symlink(join(root, "node_modules/undici-types"), join(project, "node_modules/undici-types"));
    await symlink(join(root, "node_modules/axios"), join(project, "node_modules/axios"));
    await symlink(join(root, "node_modules/@opentelemetry"), join(project, "node_modules/@opentelemetry"));
  });

  afterAll(async () => {
    if (project) await rm(project, { recursive: true, force: true });
  });

  async function complaintsOf(
    version: Version,
    way: Way,
    legacy: boolean,
    code: string,
    more: object = {},
  ): Promise<string> {
    const { module, moduleResolution, files } = way;
    const folder = await mkdtemp(join(project, "types-"));
    const compilerOptions = {
      ...STRICTEST,
      ...{ target: "es2022", lib: ["es2022"], types: ["node"], noEmit: true, pretty: false },
      ...{ module, moduleResolution },
      ...(legacy && { experimentalDecorators: true, emitDecoratorMetadata: true }),
      ...more,
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    for (const file of files) await writeFile(join(folder, file), code);
    const tsc = join(here, `node_modules/typescript-${version}/bin/tsc`);
    return exec(node(24), [tsc, "-p", folder], { env, timeout: PATIENCE }).then(
      () => "",
      (error) => error.stdout || error.message,
    );
  }

  const cases = VERSIONS.flatMap((version, at) =>
    WAYS.filter(({ until = version }) => version <= until).flatMap((way, nth) =>
      [false, true]
        // In a quick run each version, each way and both kinds of decorators come once.
        .filter((legacy) => everything || legacy === (at % 2 === 1))
        .filter(() => everything || nth === at % 3 || (nth === 3 && version === "5.4"))
        .map((legacy) => [version, way.moduleResolution, legacy ? "legacy" : "standard", way] as const),
    ),
  );

  it.each(cases)(
    "compile under TypeScript %s with %s and %s decorators, strictest",
    async (version, _, decorators, way) => {
      expect(await complaintsOf(version, way, decorators === "legacy", program)).toBe("");
    },
  );

  it("are found for every entry where resolution is node10", async () => {
    const code = ENTRIES.map((entry) => (entry === "index" ? "undaunted" : `undaunted/${entry}`))
      .map((entry, n) => `export * as e${n} from "${entry}";`)
      .join("\n");

    expect(await complaintsOf("5.9", WAYS[3]!, false, code)).toBe("");
  });

  it("compile with the DOM's types in place of Node's", async () => {
    const dom = { lib: ["es2022", "dom", "dom.iterable"], types: [] };

    expect(await complaintsOf("6.0", WAYS[2]!, false, program, dom)).toBe("");
  });
});
