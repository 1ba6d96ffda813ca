import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checksTable, idleDifferences, readPart, records, versionsTable, writePart } from "./page.js";
import { addChecks, makeProject, missing, named } from "./project.js";
import { type Format, type Found, RUNTIMES } from "./runtimes.js";
import { Loopback } from "./server.js";
import { CHECKS } from "./suite/checks.mjs";
import { differenceOf } from "./suite/expected.mjs";

// The page docs/runtimes.md says what these runs show: the package as it is published, in both formats, on every runtime.

describe.skipIf(missing)(named("the published package"), () => {
  const loopback = new Loopback();
  const founds = new Map<string, Found>();
  let project: string;

  beforeAll(async () => {
    await loopback.open();
    project = await makeProject();
    await addChecks(project);
  });

  afterAll(async () => {
    await loopback.close();
    if (project) await rm(project, { recursive: true, force: true });
  });

  const runs = RUNTIMES.flatMap((runtime) =>
    (["esm", "cjs"] as const).map((format) => {
      const where = runtime.missing ? `${runtime.name} (${runtime.missing})` : runtime.name;
      return [where, format, runtime] as const;
    }),
  );
  const here = runs.filter(([, , { missing }]) => !missing);
  const notHere = runs.filter(([, , { missing }]) => missing);

  it.each(here)("does on %s what the page says, as %s", async (_, format: Format, runtime) => {
    const { name } = runtime;

    const found = await runtime.run({ project, format, loopback });
    founds.set(name, { ...found, ...differing(founds.get(name), found) });

    expect(found).toEqual(
      Object.fromEntries(
        CHECKS.map(({ says, answer }) => {
          const difference = differenceOf(name, says);
          return [says, difference ? difference.answer : answer];
        }),
      ),
    );
  });

  it.skip.each(notHere)("does on %s what the page says, as %s", () => {});

  /** What the other format found out otherwise. */
  function differing(before: Found | undefined, found: Found): Found {
    const says = Object.keys(before ?? {}).filter(
      (each) => JSON.stringify(before![each]) !== JSON.stringify(found[each]),
    );
    return Object.fromEntries(
      says.map((each) => [each, `not alike in both formats: ${JSON.stringify(before![each])}`]),
    );
  }

  const columns = () =>
    Promise.all(
      RUNTIMES.map(async (runtime) => ({
        runtime,
        version: await runtime.version(),
        found: founds.get(runtime.name) ?? {},
      })),
    );

  it.skipIf(notHere.length > 0)("has its table in docs/runtimes.md as it came out of the runs", async () => {
    const table = checksTable(await columns());
    if (records) writePart("checks", table);

    expect(readPart("checks")).toBe(table);
  });

  it.skipIf(notHere.length > 0)("has every runtime listed in docs/runtimes.md, whatever its version", async () => {
    const table = versionsTable(await columns());
    if (records) writePart("versions", table);

    expect(withoutVersions(readPart("versions"))).toBe(withoutVersions(table));
  });

  it.skipIf(notHere.length > 0)("differs on no runtime where none is known to", async () => {
    expect(idleDifferences(await columns())).toEqual([]);
  });
});

function withoutVersions(table: string): string {
  // A date has other marks between its numbers.
  return table.replace(/\d+(\.\d+)+/g, "n");
}
