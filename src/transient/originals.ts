import { errorsOf, readField } from "../common/inspect.js";

/** Where what wraps a driver's error keeps it. */
const FIELDS = [
  "driverError", // TypeORM
  "nativeError", // Objection
  "parent", // Sequelize
  "errors", // Sequelize, of one row among many
  "sourceError", // Neon
  "originalError", // mssql
] as const;

/** The driver's own error, where this one keeps it in a field of its own. */
export function originalOf(error: unknown): unknown {
  for (const field of FIELDS) {
    const original = readField(error, field);
    if (typeof readField(original, "message") === "string") return original;
  }
  // Prisma: the adapter's, whose cause has the driver's code.
  return readField(readField(error, "meta"), "driverAdapterError");
}

/** The errors that this one gathers: an `AggregateError`'s, or why a transaction of Redis was discarded. */
export function originalsOf(error: unknown): readonly unknown[] | undefined {
  const previous = readField(error, "previousErrors"); // ioredis
  return Array.isArray(previous) && previous.length > 0 ? previous : errorsOf(error);
}

/** An error and all errors in it, to depth 10. */
export function allIn(error: unknown, depth = 10): unknown[] {
  if (error === undefined || error === null || depth < 0) return [];
  const inside = [readField(error, "cause"), originalOf(error), ...(originalsOf(error) ?? [])];
  return [error, ...inside.flatMap((each) => allIn(each, depth - 1))];
}

const SQL =
  /^\W*(alter|begin|call|commit|create|delete|drop|execute|explain|insert|lock|merge|release|replace|rollback|savepoint|select|set|show|start|truncate|update|values|with)\b/i;

/** The driver's own words: Knex puts the statement before them. */
export function driverMessage(error: unknown): string {
  const message = readField(error, "message");
  if (typeof message !== "string") return "";
  return SQL.test(message) ? message.slice(message.lastIndexOf(" - ") + 3) : message;
}
