import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { table } from "./traits.js";

const page = new URL("../../docs/durable.md", import.meta.url);
const PLACE = /(<!-- engines -->\n)[\s\S]*?(\n<!-- \/engines -->)/;

it("docs/durable.md says of each engine what it cannot do, as the tests go by it", () => {
  const text = readFileSync(page, "utf8");
  if (process.env.RECORD)
    writeFileSync(
      page,
      text.replace(PLACE, (_all, begin, end) => begin + table() + end),
    );

  expect(PLACE.exec(readFileSync(page, "utf8"))?.[0]).toBe(`<!-- engines -->\n${table()}\n<!-- /engines -->`);
});
