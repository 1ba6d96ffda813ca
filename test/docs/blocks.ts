import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced block of a page, or an example of a docstring. */
export interface Block {
  /** From the project's root. */
  readonly file: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  readonly language: string;
  /** What its info string says after the language. */
  readonly words: readonly string[];
  readonly code: string;
  /** Of a docstring's example: what it is an example of. */
  readonly owner?: string;
}

/** The pages whose blocks are checked: README.md and everything under docs. */
export function pages(): string[] {
  const docs = join(root, "docs");
  const below = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: "utf8" }) : [];
  const markdown = below.filter((path) => path.endsWith(".md")).map((path) => join("docs", path));
  return ["README.md", ...markdown.sort()].filter((path) => existsSync(join(root, path)));
}

export function sources(): string[] {
  const below = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  return below
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join("src", path))
    .sort();
}

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

export function blocksOfPage(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { marker: string; indent: number; info: string[]; line: number; code: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const [, indent = "", marker = "", info = ""] = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line) ?? [];
    if (!open) {
      if (marker) open = { marker, indent: indent.length, info: info.split(/\s+/), line: index + 2, code: [] };
    } else if (marker.startsWith(open.marker) && info === "") {
      const [language = "", ...words] = open.info;
      blocks.push({ file, line: open.line, language, words, code: open.code.join("\n") });
      open = undefined;
    } else open.code.push(line.replace(new RegExp(`^\\s{0,${open.indent}}`), ""));
  }
  if (open) throw new Error(`${file}:${open.line}: this block is never closed`);
  return blocks;
}

/** The examples as the compiler hands them to an editor: one that a stray `@` cuts short is cut short here too. */
export function blocksOfSource(file: string, text: string): Block[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const blocks: Block[] = [];
  const visit = (node: ts.Node) => {
    const tags = node
      .getChildren()
      .filter(ts.isJSDoc)
      .flatMap((doc) => doc.tags ?? []);
    for (const tag of tags.filter((each) => each.tagName.text === "example")) {
      const line = source.getLineAndCharacterOfPosition(tag.getStart()).line + 2;
      const code = ts.getTextOfJSDocComment(tag.comment) ?? "";
      blocks.push({ file, line, language: "ts", words: [], code, owner: nameOf(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return blocks;
}

function nameOf(node: ts.Node): string {
  const named = ts.isVariableStatement(node) ? node.declarationList.declarations[0] : node;
  return (named as ts.NamedDeclaration | undefined)?.name?.getText() ?? "";
}

const LANGUAGES = ["ts", "js", "python", "sh", "sql", "json", "text", "diff", "mermaid"];
const WORDS = ["no-run", "continued", "recipe"];

/** What is wrong with a block before anyone looks at its code as a program. */
export function faultsOf(block: Block, scripts: readonly string[]): string[] {
  const { language, words, code } = block;
  const faults: string[] = [];
  if (!LANGUAGES.includes(language)) faults.push(`the language "${language}" is none of ${LANGUAGES.join(", ")}`);
  for (const word of words) {
    if (language !== "ts" || !WORDS.includes(word)) faults.push(`the info word "${word}" is not known`);
  }
  // What is about this library must be checked, so it may not hide in another language.
  if (language === "js" && /["']undaunted\b/.test(code))
    faults.push("a js block must not import undaunted: make it ts");
  if (language === "sh") {
    for (const [, script = ""] of code.matchAll(/\bnpm run ([\w:.-]+)/g)) {
      if (!scripts.includes(script)) faults.push(`package.json has no script "${script}"`);
    }
  }
  return faults;
}

/** A block as a module of its own, behind the blocks that it continues. */
export interface Unit {
  readonly block: Block;
  /** Line n of it is what `origin(n)` names. */
  readonly code: string;
  readonly runs: boolean;
  origin(line: number): string;
}

// A recipe is a file of test/frameworks, which is compiled and run there as its framework wants it.
const isProgram = ({ language, words }: Block) => language === "ts" && !words.includes("recipe");

/** The unit of each `ts` block, in order. */
export function unitsOf(blocks: readonly Block[]): Unit[] {
  const units: Unit[] = [];
  for (const block of blocks.filter(isProgram)) {
    const before = block.words.includes("continued") ? units.at(-1) : undefined;
    if (block.words.includes("continued") && before?.block.file !== block.file) {
      throw new Error(`${block.file}:${block.line}: there is nothing that this block could continue`);
    }
    const runs = !block.words.includes("no-run");
    if (before && runs && !before.runs) {
      throw new Error(`${block.file}:${block.line}: a block that runs cannot continue one that does not`);
    }
    const code = before ? `${before.code}\n${block.code}` : block.code;
    const offset = before ? before.code.split("\n").length : 0;
    const origin = (line: number) =>
      before && line <= offset ? before.origin(line) : `${block.file}:${block.line + line - offset - 1}`;
    units.push({ block, code, runs, origin });
  }
  return units;
}
