import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { classifyError } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { writeOrmTable } from "../transient/orm-table.js";
import { verdictOf } from "../transient/orm-verdicts.js";
import { type Fields, fieldsOf } from "../transient/record/fields-of.js";
import { type Database, startDatabase } from "./database.js";
import { FAILURES } from "./failures.js";
import { stacks } from "./stacks/index.js";
import { versionsOf } from "./versions.js";

const databases: Partial<Record<string, Database>> = {};
const recorded = stacks.map((stack) => ({
  stack: stack.name,
  database: "",
  versions: versionsOf(stack),
  failures: {} as Record<string, Fields>,
}));

beforeAll(async () => {
  for (const name of ["postgres", "mariadb"] as const) databases[name] = await startDatabase(name);
});

afterAll(async () => {
  for (const database of Object.values(databases)) await database?.close();
  if (!process.env.RECORD) return;
  const file = fileURLToPath(new URL("../transient/fixtures/orms.json", import.meta.url));
  writeFileSync(file, JSON.stringify(recorded));
  writeOrmTable(recorded);
  execFileSync("npx", ["biome", "check", "--write", file], { stdio: "inherit" });
});

/** What a pool without a limit of time makes of a call. */
const WAITS = Object.assign(new Error("it waits for ever"), { name: "Waits" });

describe.each(stacks.map((stack, index) => [stack.name, stack, index] as const))("%s", (_, stack, index) => {
  beforeEach(async () => {
    await databases[stack.database]!.link.passThrough();
    await databases[stack.database]!.reset();
  });

  it.each(Object.keys(FAILURES))("%s", async (failure) => {
    const database = databases[stack.database]!;
    const provoked = FAILURES[failure]!({
      stack,
      database,
      async open(target) {
        const orm = await database.open(stack, target);
        onTestFinished(() => void Promise.resolve(orm.close()).catch(() => {}));
        return orm;
      },
    });
    const error = await Promise.race([provoked, delay(5_000, WAITS, { ref: false })]);

    recorded[index]!.database = database.version;
    recorded[index]!.failures[failure] = fieldsOf(error);
    expect(classifyError(error)).toBe(verdictOf(stack.name, failure));
  });
});
