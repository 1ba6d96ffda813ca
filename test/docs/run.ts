import { transform } from "esbuild";
import ts from "typescript";
import { expect } from "vitest";
import type { Unit } from "./blocks.js";
import { moduleOf } from "./prelude.js";

interface Edit {
  readonly at: number;
  readonly until: number;
  readonly text: string;
}

/**
 * Runs a unit, and answers its `policy` where it declares one. What a comment at the end of a statement says is
 * checked: `// => value`, `// throws Name` or `// throws Name: message`, `// rejects Name`. Fails a block that sleeps for
 * longer than `longestSleep` ms in all.
 */
export async function run(unit: Unit, longestSleep = 1_000): Promise<unknown> {
  const { code, checks } = instrument(unit);
  const { code: script } = await transform(code, { loader: "ts", target: "es2022" });
  const missed = new Set(checks);
  let policy: unknown;
  const reached = (index: number) => {
    missed.delete(checks[index]!);
    return checks[index]!;
  };
  const tools = {
    __import: (specifier: string) => import(specifier),
    __equal: (index: number, value: unknown, wanted: unknown) => expect(value, reached(index)).toEqual(wanted),
    __throws: (index: number, call: () => unknown, wanted: string) => {
      const where = reached(index);
      expect(thrownBy(call), where).toMatch(wordsOf(wanted));
    },
    __rejects: async (index: number, call: () => Promise<unknown>, wanted: string) => {
      const where = reached(index);
      const ended = await call().then(() => "nothing", nameAndMessage);
      expect(ended, where).toMatch(wordsOf(wanted));
    },
    __keep: (value: unknown) => {
      policy = value;
    },
    console: { ...console, log() {}, info() {}, warn() {}, error() {}, table() {} },
  };
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...args: unknown[]) => unknown;
  const main = new AsyncFunction(...Object.keys(tools), `"use strict";${script}`);

  const time = watchTime(longestSleep);
  try {
    await main(...Object.values(tools));
  } finally {
    time.restore();
  }
  expect(time.slept, "ms slept, with the unluckiest random numbers").toBeLessThanOrEqual(longestSleep);
  expect(time.pending, "timers left running").toBe(0);
  expect([...missed], "assertions that were never reached").toEqual([]);
  return policy;
}

/** The unit as the body of an async function, its assertions as calls. */
function instrument(unit: Unit): { code: string; checks: string[] } {
  const text = moduleOf(unit);
  const source = ts.createSourceFile("block.ts", text, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number) => unit.origin(source.getLineAndCharacterOfPosition(position).line + 1);
  const edits: Edit[] = [];
  const checks: string[] = [];
  const seen = new Set<number>();

  const claim = (statement: ts.Node): string | undefined => {
    const [comment] = ts.getTrailingCommentRanges(text, statement.end) ?? [];
    if (!comment || !ASSERTION.test(text.slice(comment.pos, comment.end))) return undefined;
    seen.add(comment.pos);
    return text.slice(comment.pos, comment.end);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isExpressionStatement(node)) {
      const comment = claim(node);
      if (comment) {
        const number = checks.push(lineOf(node.getStart())) - 1;
        const { expression } = node;
        const [before, after] = checkOf(comment, number, ts.isAwaitExpression(expression));
        edits.push({ at: expression.getStart(), until: expression.getStart(), text: before });
        edits.push({ at: expression.end, until: expression.end, text: after });
      }
    } else if (ts.isVariableStatement(node)) {
      const value = /^\/\/\s*=>(.*)$/.exec(claim(node) ?? "")?.[1];
      const [declaration] = node.declarationList.declarations;
      if (value && declaration) {
        const number = checks.push(lineOf(node.getStart())) - 1;
        edits.push({
          at: node.end,
          until: node.end,
          text: ` __equal(${number}, ${declaration.name.getText()}, (${value}));`,
        });
      }
    } else if (ts.isImportDeclaration(node)) {
      edits.push({ at: node.getStart(), until: node.end, text: bindingsOf(node) });
    }
    for (const modifier of ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []) {
      if (modifier.kind === ts.SyntaxKind.ExportKeyword) {
        edits.push({ at: modifier.getStart(), until: modifier.end, text: "" });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);

  for (const { index } of text.matchAll(new RegExp(ASSERTION.source.slice(1), "g"))) {
    if (!seen.has(index)) throw new Error(`${lineOf(index)}: this assertion stands behind no statement`);
  }
  const declares = source.statements
    .filter(ts.isVariableStatement)
    .flatMap((statement) => statement.declarationList.declarations.map((each) => each.name.getText()));
  const keep = declares.includes("policy") ? "\n__keep(policy);" : "";
  return { code: apply(text, edits) + keep, checks };
}

const ASSERTION = /^\/\/\s*(=>|(throws|rejects) [A-Z])/;

/** What stands before and behind an expression that a comment says something about. */
function checkOf(comment: string, number: number, awaited: boolean): [before: string, after: string] {
  const [, value] = /^\/\/\s*=>(.*)$/.exec(comment) ?? [];
  if (value !== undefined) return [`__equal(${number}, `, `, (${value}))`];
  const [, verb, wanted] = /^\/\/\s*(throws|rejects) ([A-Z]\w*(?:: .+)?)$/.exec(comment) ?? [];
  if (!wanted) throw new Error(`"${comment}" must name an error and nothing else, or be followed by its message`);
  if (verb === "throws" && awaited) throw new Error(`"${comment}": what is awaited does not throw, it rejects`);
  const end = `, ${JSON.stringify(wanted)})`;
  return verb === "throws"
    ? [`__throws(${number}, () => (`, `)${end}`]
    : [`await __rejects(${number}, async () => (`, `)${end}`];
}

/** An import declaration as constants. */
function bindingsOf(node: ts.ImportDeclaration): string {
  const { importClause, moduleSpecifier } = node;
  const from = `await __import(${moduleSpecifier.getText()})`;
  if (importClause?.isTypeOnly) return "";
  const named = importClause?.namedBindings;
  const parts: string[] = importClause?.name ? [`default: ${importClause.name.text}`] : [];
  if (named && ts.isNamespaceImport(named)) return `const ${named.name.text} = ${from};`;
  for (const each of named?.elements ?? []) {
    if (!each.isTypeOnly) parts.push(`${(each.propertyName ?? each.name).text}: ${each.name.text}`);
  }
  return `const { ${parts.join(", ")} } = ${from};`;
}

function apply(text: string, edits: readonly Edit[]): string {
  let result = "";
  let from = 0;
  for (const { at, until, text: inserted } of [...edits].sort((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + inserted;
    from = until;
  }
  return result + text.slice(from);
}

function thrownBy(call: () => unknown): string {
  try {
    call();
    return "nothing";
  } catch (error) {
    return nameAndMessage(error);
  }
}

function nameAndMessage(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** `Name` asks for an error of that name, `Name: message` also for its whole message. */
function wordsOf(wanted: string): RegExp {
  const literal = wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(wanted.includes(": ") ? `^${literal}$` : `^${literal}: `);
}

/** Adds up what is slept, and draws the unluckiest random numbers: a block that may sleep too long always does. */
function watchTime(longestSleep: number) {
  const { setTimeout, clearTimeout } = globalThis;
  const { random } = Math;
  const { wait } = Atomics;
  const running = new Set<unknown>();
  const time = { slept: 0, pending: 0, restore };

  function restore() {
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Math.random = random;
    Atomics.wait = wait;
    time.pending = running.size;
    for (const timer of running) clearTimeout(timer as NodeJS.Timeout);
  }
  globalThis.setTimeout = ((fn: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    const fire = () => {
      running.delete(timer);
      time.slept += ms;
      fn(...args);
    };
    // What has failed already need not be waited for.
    const timer = setTimeout(fire, Math.min(ms, longestSleep));
    running.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    running.delete(timer);
    clearTimeout(timer);
  };
  Math.random = () => 1 - 2 ** -53;
  Atomics.wait = ((...args: Parameters<typeof wait>) => {
    time.slept += args[3] ?? Infinity;
    return time.slept > longestSleep ? "timed-out" : wait(...args);
  }) as typeof wait;
  return time;
}
