import { join } from "node:path";
import ts from "typescript";
import type { RetryState } from "undaunted";
import { retryState } from "undaunted/testing";
import { read, root, type Unit } from "./blocks.js";

/** For docstrings: the state after an attempt that threw `error`. */
export function failed(error: unknown): RetryState {
  return retryState({ outcome: { ok: false, error } });
}

/** For docstrings: the state after an attempt that returned `value`. */
export function returned<T>(value: T): RetryState<T> {
  return retryState<T>({ outcome: { ok: true, value } });
}

/** Where a block lies as far as its imports are concerned. */
export const home = join(root, "test/docs");

const ENTRIES: readonly (readonly [specifier: string, exports: ReadonlyMap<string, boolean>])[] = [
  ["undaunted", exportsOf("src/index.ts")],
  ["undaunted/bullmq", exportsOf("src/bullmq/index.ts")],
  ["undaunted/pg-boss", exportsOf("src/pg-boss/index.ts")],
  ["undaunted/graphile-worker", exportsOf("src/graphile-worker/index.ts")],
  ["undaunted/durable", exportsOf("src/durable/index.ts")],
  ["undaunted/http", exportsOf("src/http/index.ts")],
  ["undaunted/axios", exportsOf("src/axios/index.ts")],
  ["undaunted/idempotency", exportsOf("src/idempotency/index.ts")],
  ["undaunted/iterable", exportsOf("src/iterable/index.ts")],
  ["undaunted/policy", exportsOf("src/policy/index.ts")],
  ["undaunted/node", exportsOf("src/node/index.ts")],
  ["undaunted/otel", exportsOf("src/otel/index.ts")],
  ["undaunted/redis", exportsOf("src/redis/index.ts")],
  ["undaunted/server", exportsOf("src/server/index.ts")],
  ["undaunted/simulation", exportsOf("src/simulation/index.ts")],
  ["undaunted/transient", exportsOf("src/transient/index.ts")],
  ["undaunted/testing", exportsOf("src/testing/index.ts")],
];
const HELPERS: (typeof ENTRIES)[number] = [
  "./prelude.js",
  new Map([
    ["failed", false],
    ["returned", false],
  ]),
];

/**
 * The unit as a module. One that imports something is taken as it stands. Any other gets an import of what it uses of
 * `undaunted` and `undaunted/testing`, and an example in a docstring also of `failed` and `returned`. It is put on the
 * first line, so that all others keep their numbers.
 */
export function moduleOf({ block, code }: Unit): string {
  const source = ts.createSourceFile("block.ts", code, ts.ScriptTarget.Latest, true);
  if (source.statements.some(ts.isImportDeclaration)) return code;
  const declared = new Set<string>();
  const used = new Set<string>();
  const visit = (node: ts.Node) => {
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const statement of source.statements) {
    const named = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
    for (const each of named) declared.add((each as ts.NamedDeclaration).name?.getText() ?? "");
  }
  const entries = block.owner === undefined ? ENTRIES : [...ENTRIES, HELPERS];
  const imports = entries.map(([specifier, exports]) => {
    const wanted = [...exports].filter(([name]) => used.has(name) && !declared.has(name));
    const names = wanted.map(([name, isType]) => (isType ? `type ${name}` : name));
    return names.length > 0 ? `import { ${names.join(", ")} } from "${specifier}"; ` : "";
  });
  return imports.join("") + code;
}

/** What an entry exports, and whether it is only a type. */
function exportsOf(file: string): Map<string, boolean> {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const exports = new Map<string, boolean>();
  for (const { exportClause, isTypeOnly } of source.statements.filter(ts.isExportDeclaration)) {
    if (!exportClause || !ts.isNamedExports(exportClause)) continue;
    for (const each of exportClause.elements) exports.set(each.name.text, isTypeOnly || each.isTypeOnly);
  }
  return exports;
}
