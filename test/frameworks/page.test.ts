import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { blocksOfPage, read } from "../docs/blocks.js";

const folders = ["test/frameworks/recipes", "test/frameworks/installed/recipes"];
const recipes = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
const blocks = blocksOfPage("docs/frameworks.md", read("docs/frameworks.md"));
const shown = blocks.filter(({ words }) => words.includes("recipe")).map(({ code }) => `${code}\n`);

it.each(recipes)("%s is a recipe of under 20 lines that docs/frameworks.md shows as it is tested", (recipe) => {
  const code = read(recipe);

  expect(shown).toContain(code);
  expect(code.trimEnd().split("\n").length).toBeLessThan(20);
});

it("docs/frameworks.md shows no recipe that is not tested", () => {
  expect(shown.filter((code) => !recipes.some((recipe) => read(recipe) === code))).toEqual([]);
});
