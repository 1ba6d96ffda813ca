import { previewPolicy, type RetryOptions } from "undaunted";
import { beforeAll, describe, expect, it } from "vitest";
import { ENTRIES, sourceOf } from "../entries.js";
import manifest from "../package.json" with { type: "json" };
import { blocksOfPage, blocksOfSource, faultsOf, pages, read, sources, type Unit, unitsOf } from "./docs/blocks.js";
import { typeErrorsOf } from "./docs/check.js";
import { tableOf, tablesOf } from "./docs/preview-table.js";
import { run } from "./docs/run.js";
import { unitOfTables } from "./docs/spans.js";

// How a page is written:
// - A `ts` block is a program: it is type-checked, and run unless its info string says `ts no-run`. It stands alone
//   unless that says `ts continued`: then it goes on where the `ts` block before it ended.
// - `ts recipe` is a file of test/frameworks, where test/frameworks/page.test.ts finds it.
// - A block that imports something is taken as it stands. Any other finds all of "undaunted" and "undaunted/testing"
//   in scope, and a docstring's example also `failed(error)` and `returned(value)`, which make a RetryState.
// - What stands behind a statement is checked: `// => value`, `// throws Name`, `// rejects Name`, and the latter two
//   also as `// rejects Name: the whole message`.
// - A block may sleep for a second in all, at worst, and leaves no timer behind.

const scripts = Object.keys(manifest.scripts);
const ofPages = pages().flatMap((file) => blocksOfPage(file, read(file)));
const ofSources = sources().flatMap((file) => blocksOfSource(file, read(file)));
const blocks = [...ofPages, ...ofSources];
const units = unitsOf(blocks);

const page = (...lines: string[]) => unitsOf(blocksOfPage("page.md", lines.join("\n")));
const docstring = (...lines: string[]) =>
  unitsOf(
    blocksOfSource("x.ts", ["/**", ...lines.map((line) => ` * ${line}`), " */", "export const x = 1;"].join("\n")),
  );

const specimens = {
  misspelt: page("```ts", "retry(async () => 1).sats;", "```"),
  loose: page("```ts", "const twice = (n) => 2 * n;", "```"),
  undeclared: page("```ts", "await retry(fetchUser)();", "```"),
  unimported: page("```ts", 'import { retry } from "undaunted";', "retry(async () => 1, { wait: waitNone });", "```"),
  helpless: page("```ts", "retryNever(failed(new Error()));", "```"),
  alone: page("```ts", "const one = 1;", "```", "```ts", "one; // => 1", "```"),
  continued: page("```ts", "const one = 1;", "```", "text", "```ts continued", "one;", "two;", "```"),
  cut: docstring("@example", "class A {", "  @Retry()", "  async load() {}", "}"),
};
const migration = unitOfTables("docs/migrating.md", read("docs/migrating.md"));
const wrongTable = unitOfTables(
  "page.md",
  ["| p-retry | undaunted |", "|---|---|", "| `a` | `wait: stopNever` |"].join("\n"),
);
let typeErrors: Map<Unit, string[]>;

beforeAll(() => {
  typeErrors = typeErrorsOf([...units, migration, wrongTable, ...Object.values(specimens).flat()]);
});

const places = blocks.map((block) => [`${block.file}:${block.line}`, block] as const);

it.each(places)("%s holds what it says", async (_, block) => {
  expect(faultsOf(block, scripts)).toEqual([]);

  const unit = units.find((each) => each.block === block);
  if (!unit) return;
  expect(typeErrors.get(unit)).toEqual([]);
  if (unit.runs) await run(unit);
});

const examples = new Set(ofSources.map((block) => block.owner));
const isErrorClass = (value: unknown) => typeof value === "function" && value.prototype instanceof Error;
const entries = await Promise.all(ENTRIES.map((entry) => import(`../${sourceOf(entry)}`)));
const exported = Object.entries(Object.assign({}, ...entries) as object).filter(([, value]) => !isErrorClass(value));

it.each(exported.map(([name]) => name))("%s has an example in its docstring", (name) => {
  expect(examples).toContain(name);
});

const tables = pages().flatMap((file) => tablesOf(file, read(file)));

it.each(tables.map((table) => [`${table.file}:${table.line}`, table] as const))(
  "%s is the table of the policy above it",
  async (_, { file, line, rows, text }) => {
    const above = units.filter(({ block }) => block.file === file && block.line < line && declaresPolicy(block.code));

    const policy = (await run(above.at(-1)!)) as RetryOptions;

    expect(text).toBe(tableOf(previewPolicy(policy, rows)));
  },
);

it("every recipe's policy has its table", () => {
  const policies = units.filter(({ block }) => block.file === "docs/recipes.md" && declaresPolicy(block.code));

  expect(tables.filter(({ file }) => file === "docs/recipes.md")).toHaveLength(policies.length);
});

it("the tables for migrating name only what there is", () => {
  expect(typeErrors.get(migration)).toEqual([]);
});

function declaresPolicy(code: string): boolean {
  return /^(export )?const policy\b/m.test(code);
}

describe("faults of a block", () => {
  it.each([
    ["of an unknown language", "```typescript\n```", 'the language "typescript" is none of'],
    ["of no language", "```\n```", 'the language "" is none of'],
    ["with an unknown info word", "```ts norun\n```", 'the info word "norun" is not known'],
    ["of shell with an info word", "```sh no-run\n```", 'the info word "no-run" is not known'],
    ["that calls a script nobody wrote", "```sh\nnpm run test\nnpm run typo\n```", 'no script "typo"'],
    ["of js about this library", '```js\nrequire("undaunted/testing")\n```', "must not import undaunted"],
  ])("refuses a block %s", (_, text, fault) => {
    const [block] = blocksOfPage("page.md", text);

    expect(faultsOf(block!, ["test"])).toEqual([expect.stringContaining(fault)]);
  });

  it("refuses a block that is never closed", () => {
    expect(() => blocksOfPage("page.md", "text\n```ts\nretry();")).toThrow("page.md:3: this block is never closed");
  });

  it("refuses a block that continues nothing", () => {
    expect(() => page("```ts continued", "```")).toThrow("nothing that this block could continue");
  });

  it("refuses a block that continues the last block of another page", () => {
    const [one, other] = ["one.md", "other.md"].map((file) => blocksOfPage(file, "```ts continued\n```")[0]!);

    expect(() => unitsOf([{ ...one!, words: [] }, other!])).toThrow("nothing that this block could continue");
  });

  it("refuses a block that runs on from one that does not", () => {
    expect(() => page("```ts no-run", "```", "```ts continued", "```")).toThrow("cannot continue one that does not");
  });
});

describe("a page's fences", () => {
  it("reads fences that stand in the item of a list", () => {
    const text = ["- item", "", "  ```ts", "  if (true) {", "    retry;", "  }", "  ```"].join("\n");

    expect(blocksOfPage("page.md", text)).toMatchObject([{ line: 4, code: "if (true) {\n  retry;\n}" }]);
  });

  it("reads fences that hold shorter fences, and such that open something", () => {
    const texts = ["````text\n```\n````", "```text\n```ts\n```"];

    expect(texts.map((text) => blocksOfPage("page.md", text).map((block) => block.code))).toEqual([["```"], ["```ts"]]);
  });
});

describe("type errors", () => {
  it.each<[string, keyof typeof specimens, string]>([
    ["in a misspelt property", "misspelt", "page.md:2: Property 'sats' does not exist"],
    ["in what only strict settings refuse", "loose", "page.md:2: Parameter 'n' implicitly has an 'any' type."],
    ["in a name that is not declared", "undeclared", "page.md:2: Cannot find name 'fetchUser'."],
    ["in a name that a block with imports forgot", "unimported", "page.md:3: Cannot find name 'waitNone'."],
    ["in a page that uses what docstrings may", "helpless", "page.md:2: Cannot find name 'failed'."],
    ["in a name of the block before", "alone", "page.md:5: Cannot find name 'one'."],
    ["in a continued block, at its own line", "continued", "page.md:7: Cannot find name 'two'."],
    ["in an example that an at sign cuts short", "cut", "x.ts:3: '}' expected."],
  ])("finds a type error %s", (_, specimen, message) => {
    expect(typeErrors.get(specimens[specimen].at(-1)!)).toEqual([expect.stringContaining(message)]);
  });
});

it("a table's new column is type-checked, at its own line", () => {
  expect(typeErrors.get(wrongTable)).toEqual([expect.stringMatching(/^page.md:3: Type 'Stop' is not assignable/)]);
});

describe("blocks that fail when run", () => {
  it.each([
    ["for a value that is another", "const n = 1;\nn + 1; // => 3", "page.md:3: expected 2 to deeply equal 3"],
    ["for an awaited value that is another", "await retry(async () => 1)(); // => 2", "expected 1 to deeply equal 2"],
    ["for a declared value that is another", "const n = await runWithRetry(() => 1); // => 2", "expected 1 to deeply"],
    ["for a property that is missing", "({ a: 1 }); // => { a: 1, b: 2 }", "to deeply equal { a: 1, b: 2 }"],
    ["for an error that is not thrown", "stopAfterAttempt(1); // throws RangeError", "page.md:2: expected 'nothing'"],
    ["for an error of another name", "stopAfterAttempt(0); // throws TypeError", "to match /^TypeError: /"],
    ["for an error whose name only begins so", "stopAfterAttempt(0); // throws Range", "to match /^Range: /"],
    ["for an error of another message", "waitFixed(-1); // throws RangeError: waitFixed: ms must", "to match /^Ran"],
    [
      "for a call that does not reject",
      "await runWithRetry(() => 1); // rejects Error",
      "page.md:2: expected 'nothing'",
    ],
    [
      "for another rejection",
      "await Promise.reject(new Error('busy')); // rejects TypeError",
      "expected 'Error: busy'",
    ],
    ["for an error that was not expected", "stopAfterAttempt(0);", "n must be a whole number from 1"],
    [
      "for an assertion that is never reached",
      "1; // => 1\nconst f = () => {\n  2; // => 2\n};\nf.length;",
      "'page.md:4'",
    ],
    ["for an assertion behind no statement", "if (true) {} // => 2", "page.md:2: this assertion stands behind no"],
    ["for an assertion on a line of its own", "1 + 1;\n// => 2", "page.md:3: this assertion stands behind no"],
    ["for what no assertion may say", "waitFixed(-1); // throws RangeError since below 0", "an error and nothing else"],
    ["for awaiting what is said to throw", "await Promise.reject(new Error()); // throws Error", "it rejects"],
    ["for sleeping too long", "for (let n = 0; n < 2; n++) await new Promise((r) => setTimeout(r, 6));", "expected 12"],
    ["for one long sleep", "await new Promise((r) => setTimeout(r, 60_000));", "expected 60000 to be less than"],
    [
      "for a sleep that can be too long",
      "await retry(flaky([new Error(), 1]), { wait: waitRandom(0, 12) })();",
      "expected 11.",
    ],
    [
      "for blocking too long",
      "retrySync(flaky([new Error(), 1]), { wait: waitFixed(60_000) })();",
      "expected 60000 to",
    ],
    ["for a timer left behind", "setTimeout(() => {}, 60_000);", "timers left running"],
  ])("fails a block %s", async (_, code, message) => {
    const [unit] = page("```ts", code, "```");

    await expect(run(unit!, 10)).rejects.toThrow(message);
  });
});

describe("blocks that pass when run", () => {
  it.each([
    [
      "with values of every kind",
      "const name = 'n';\nawait 1; // => 1\n({ name }); // => { name: \"n\" }\nvoid 0; // => undefined",
    ],
    ["with a value said of its last line", "[\n  1,\n  2,\n]; // => [1, 2]"],
    ["with an assertion within one", "[1].forEach((n) => {\n  n; // => 1\n}); // => undefined"],
    [
      "with a whole message",
      "stopAfterAttempt(0); // throws RangeError: stopAfterAttempt: n must be a whole number from 1, or Infinity, got 0",
    ],
    ["with a rejection", "await runWithRetry(() => { throw new NonRetryableError(); }); // rejects NonRetryableError"],
    ["with a comment that only looks like one", "1 + 1; // rejects with nothing"],
    [
      "with imports of every kind",
      'import assert, {\n  equal as same,\n} from "node:assert";\nimport * as u from "undaunted";\nimport type { Stop } from "nowhere";\nassert.ok(u.retry);\nsame(1, 1);',
    ],
    ["with exports", "export const one = 1;\nexport function two() { return 2; }\none + two(); // => 3"],
    [
      "with decorators",
      "class A {\n  @Retry({ wait: waitNone })\n  async load() { return currentAttempt().attempt; }\n}\nawait new A().load(); // => 1",
    ],
    ["with a name of its own for one of ours", "const retry = 1;\nretry; // => 1"],
    ["with a timer that is cancelled", "clearTimeout(setTimeout(() => {}, 60_000));"],
  ])("passes a block %s", async (_, code) => {
    const [unit] = page("```ts", code, "```");

    await expect(run(unit!)).resolves.toBeUndefined();
  });

  it("runs a block after the one that it continues", async () => {
    const units = page(
      "```ts",
      'import { waitFixed } from "undaunted";',
      "const wait = waitFixed(5);",
      "```",
      "```ts continued",
      "wait.length; // => 0",
      "```",
    );

    await expect(run(units[1]!)).resolves.toBeUndefined();
  });

  it("leaves timers and random numbers as they were", async () => {
    const before = [setTimeout, clearTimeout, Math.random, Atomics.wait];

    await run(page("```ts", "Math.random() < 1; // => true", "```")[0]!);

    expect([setTimeout, clearTimeout, Math.random, Atomics.wait]).toEqual(before);
  });
});
