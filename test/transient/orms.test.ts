import { classifyError, classifyMysqlError, classifyPostgresError } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import recordings from "./fixtures/orms.json" with { type: "json" };
import { revive } from "./fixtures/revive.js";
import { ormTable, ormTableOfPage } from "./orm-table.js";
import { FAILURES, verdictOf } from "./orm-verdicts.js";

// What ORMs really threw, each failure provoked on a real server by test/orms.
describe.each(recordings.map((recording) => [recording.stack, recording] as const))("%s", (stack, recording) => {
  const failures = Object.entries(recording.failures).map(([failure, error]) => [failure, revive({ error })] as const);
  const classify = recording.database.startsWith("MariaDB") ? classifyMysqlError : classifyPostgresError;

  it("has each failure", () => {
    expect(Object.keys(recording.failures)).toEqual(FAILURES);
  });

  it.each(failures)("%s", (failure, error) => {
    expect(classify(error)).toBe(verdictOf(stack, failure));
  });

  it.each(failures)("%s, asked of all classifiers", (failure, error) => {
    expect(classifyError(error)).toBe(verdictOf(stack, failure));
  });

  it.each(failures)("%s, as the cause of another error", (failure, cause) => {
    expect(classifyError(new Error("the repository failed", { cause }))).toBe(verdictOf(stack, failure));
  });

  it.each(failures)("%s, after a minifier has renamed every class", (failure, error) => {
    expect(classifyError(withoutClasses(error))).toBe(verdictOf(stack, failure));
  });
});

it("the page of docs has the table of what was recorded", () => {
  expect(ormTableOfPage()).toBe(ormTable(recordings as any));
});

/** A name that says no more than its class is gone as well: it is what the class is called. */
function withoutClasses(error: unknown): unknown {
  if (Array.isArray(error)) return error.map(withoutClasses);
  if (typeof error !== "object" || error === null) return error;
  const fields = Object.entries(Object.getOwnPropertyDescriptors(error)).map(
    ([key, { value }]) => [key, withoutClasses(value)] as const,
  );
  const renamed = error instanceof Error ? new (class a extends Error {})() : {};
  const className = error.constructor?.name;
  for (const [key, value] of fields) {
    const isOfClass = key === "name" && value === className && !CONSTANT.test(String(value));
    Object.defineProperty(renamed, key, { value: isOfClass ? "a" : value, enumerable: true, configurable: true });
  }
  return renamed;
}

/** Names that the packages write as text. */
const CONSTANT = /^(Sequelize|Prisma|DriverAdapter|Error$|AggregateError$)/;
