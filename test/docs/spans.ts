import type { Unit } from "./blocks.js";

// What the tables speak of without saying where it comes from.
const VOCABULARY = `
  declare const load: (id: string) => Promise<number>; declare const run: () => Promise<number>;
  declare const test: (error: unknown) => boolean; declare const read: (error: unknown) => number | undefined;
  declare const isBusy: (value: number) => boolean; declare const isReady: (value: number) => boolean;
  declare const cached: () => number; declare const log: (...facts: unknown[]) => void;
  declare const options: RetryOptions; declare const syncOptions: SyncRetryOptions;
  declare const api: import("axios").AxiosInstance; declare const getToken: (anew: boolean) => Promise<string>;
  declare const controller: AbortController; declare const signal: AbortSignal; declare const error: Error;
  class NetworkError extends Error {} class ConnectionError extends Error {}
`.replaceAll("\n", " ");

/** The code in the last column of a page's `| … | undaunted |` tables as one unit, a line for each row. */
export function unitOfTables(file: string, text: string): Unit {
  const lines: number[] = [];
  const code: string[] = [];
  let inTable = false;
  for (const [index, line] of text.split("\n").entries()) {
    inTable = /\| undaunted \|$/.test(line) || (inTable && line.startsWith("|"));
    const cells = line.split(/(?<!\\)\|/);
    const spans = inTable ? [...cells.at(-2)!.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => statementOf(span)) : [];
    if (spans.length > 0) {
      lines.push(index + 1);
      code.push(spans.join(" "));
    }
  }
  const block = { file, line: lines[0] ?? 1, language: "ts", words: ["no-run"], code: code.join("\n") };
  const first = `${VOCABULARY}${block.code}`;
  return { block, code: first, runs: false, origin: (line) => `${file}:${lines[line - 1]}` };
}

/** An option, a decorator or a statement as a statement. */
function statementOf(span: string): string {
  if (/^(\w+: |\.\.\.)/.test(span)) return `({ ${span} }) satisfies RetryOptions<number>;`;
  if (span.startsWith("@RetrySync")) return `void class { ${span} method() { return 1; } };`;
  if (span.startsWith("@")) return `void class { ${span} async method() { return 1; } };`;
  if (span.startsWith("throw ")) return `() => { ${span}; };`;
  return `${span};`;
}
