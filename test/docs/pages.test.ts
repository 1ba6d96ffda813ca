import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { pictureOf, THEMES, type Theme } from "../../scripts/policies-picture.js";
import { blocksOfPage, pages, read, root } from "./blocks.js";

// The pages as someone reads them who came today: what they lead to is there, and each guide is made like the others.

const shipped = [
  ...pages().filter((page) => !page.startsWith("docs/decisions/")),
  "examples/README.md",
  "CHANGELOG.md",
];
const isShipped = (path: string) =>
  /^(README|CHANGELOG)\.md$|^LICENSE$|^docs\/[\w-]+\.(md|svg)$|^docs\/grafana\/[\w.-]+$|^examples\/[\w.-]+$/.test(
    path,
  ) && existsSync(join(root, path));

/** The page's text without its blocks of code, in which nothing is a heading or a link. */
const prose = (page: string) => read(page).replace(/^(\s*)(`{3,})[\s\S]*?^\s*\2$/gm, "");
const headingsOf = (page: string) => [...prose(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => heading);
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const linksOf = (page: string) =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset)="([^"]+)"/g)]
    .map(([, link, image]) => link ?? image ?? "")
    .filter((link) => !/^\w+:/.test(link));

it.each(shipped)("%s leads to nothing but what is there, and what is installed with it", (page) => {
  const astray = linksOf(page).filter((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path ? normalize(join(dirname(page), path)) : page;
    if (!isShipped(target)) return true;
    return anchor !== undefined && !headingsOf(target).map(anchorOf).includes(anchor);
  });

  expect(astray).toEqual([]);
});

describe("docs/README.md", () => {
  const [byTask = "", reference = ""] = read("docs/README.md").split("\n## Reference\n");
  const all = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "README.md");

  it("leads to every page", () => {
    expect(all.filter((page) => !`${byTask}${reference}`.includes(`](${page})`))).toEqual([]);
  });

  // A page of reference is one that is looked up, not read.
  const guides = all.filter((page) => !reference.includes(`](${page})`));

  it.each(guides)("has %s as a guide, which is made as all guides are", (page) => {
    const skeleton = ["When to use it", "Example", "Defaults", "What it does not do", "Options"];
    const headings = [...prose(`docs/${page}`).matchAll(/^## (.+)$/gm)].map(([, heading = ""]) => heading);

    expect(headings.filter((heading) => skeleton.includes(heading))).toEqual(skeleton);
  });
});

it("examples/README.md has every example beside the question that it answers", () => {
  const rows = [...read("examples/README.md").matchAll(/^\| (.+) \| \[(.+)\]\(\2\) \|$/gm)];
  const examples = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));
  const questionOf = (name: string) => read(`examples/${name}`).split("\n", 1)[0]!.replace("// ", "");

  expect(rows.map(([, question, name]) => [question, name])).toEqual(examples.map((name) => [questionOf(name), name]));
});

it("docs/glossary.md explains each of its words once", () => {
  const words = [...read("docs/glossary.md").matchAll(/^\| \*\*(.+)\*\* \|/gm)].map(([, word]) => word);

  expect(words.length).toBeGreaterThanOrEqual(12);
  expect(new Set(words).size).toBe(words.length);
});

it.each(Object.keys(THEMES) as Theme[])(
  "docs/policies-%s.svg is what previewPolicy says, as `npm run draw` draws it",
  (theme) => {
    expect(read(`docs/policies-${theme}.svg`)).toBe(pictureOf(theme));
  },
);

describe("README.md", () => {
  const readme = read("README.md");

  it("has fewer than 250 lines", () => {
    expect(readme.trimEnd().split("\n").length).toBeLessThan(250);
  });

  it("imports in each program what the program uses", () => {
    const programs = blocksOfPage("README.md", readme).filter(({ language }) => language === "ts");

    expect(programs.length).toBeGreaterThan(6);
    expect(programs.filter(({ code, words }) => !/^import /m.test(code) || words.length > 0)).toEqual([]);
  });

  it("says beside its first program what the simulated fleet showed", () => {
    const [, table = ""] = read("docs/overload.md").split(
      "\nFor 30 s nothing answers; 20 clients of 10 calls a second:\n",
    );
    const loadOf = (client: string) => table.split(`\n| ${client} | `)[1]?.split(" | ")[0];
    const bullets = readme.split("\n## ")[0]!.replaceAll(/\s+/g, " ");

    expect(bullets).toContain(
      "fleet of 20 clients with 10 calls a second each, whose server answers nothing for 30 s,",
    );
    expect(bullets).toContain(
      `4 attempts make ${loadOf("4 attempts")} times the usual load; with \`retryBudget()\` it is ${loadOf("`retryBudget()`")} times.`,
    );
  });

  it("says where it runs as docs/runtimes.md has it from the run", () => {
    const [, tried = ""] = /^\| runtimes \| (.+): \[each tried\]/m.exec(readme) ?? [];
    const columns = read("docs/runtimes.md").split("<!-- versions")[1]!.split("<!-- /versions")[0]!;
    const names = [...columns.matchAll(/^\| ([\w ]+?) \| [\d.a-z]/gm)].map(([, name = ""]) => name);

    expect(names.length).toBeGreaterThan(8);
    const said = tried.replace(/Node ([\d, ]+),/, (_, list: string) =>
      list
        .split(", ")
        .map((each) => `Node ${each}`)
        .join(),
    );
    for (const name of names) expect(said).toContain(name.replace(/^(workerd) \d+$/, "$1"));
    expect(read("docs/runtimes.md")).toContain("5.4 or later: the types use `NoInfer`.");
    expect(readme).toContain("TypeScript 5.4 or later");
  });

  it("names only ways in that the package has", () => {
    const named = [...readme.matchAll(/\bundaunted\/([\w-]+)/g)].map(([, entry]) => `./${entry}`);

    expect(named.filter((entry) => !(entry in manifest.exports))).toEqual([]);
  });

  it("has the two commands that somebody with a checkout wants", () => {
    expect(readme).toMatch(/^npm install && npm run demo\b/m);
    expect(readme).toMatch(/^npm install && npm test$/m);
    expect(manifest.scripts).toMatchObject({ demo: expect.any(String), test: expect.any(String) });
  });
});
