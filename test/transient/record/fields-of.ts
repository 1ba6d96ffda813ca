/** A value as JSON can hold it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type Fields = Readonly<Record<string, Json>>;

/** What differs between two recordings of the same failure, and tells nothing of it. */
const CHANGING: readonly (readonly [RegExp, string])[] = [
  [/(127\.0\.0\.1|::1):\d+/g, "$1:1"],
  [/(Process|process|transaction) \d+/g, "$1 1"],
  [/tuple \(\d+,\d+\)/g, "tuple (0,1)"],
  [/\bconn:\d+/g, "conn:1"],
  [/\/\S+(?=\/test\/orms\/)/g, ""],
  [/after \d+ms/g, "after 50ms"],
  [/\d+\.\d{3}s\b/g, "0.100s"],
  [/\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT/g, "Thu, 01 Jan 2026 00:00:00 GMT"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "2026-01-01T00:00:00.000Z"],
];

/** Of an error: where in the sources of the server, or in the text of the query. */
const LEFT_OUT = new Set(["stack", "constructor", "file", "line", "length", "position", "domain"]);

/** An error's own and inherited fields, and those of the errors in it, as JSON. */
export function fieldsOf(error: unknown): Fields {
  if (!isObject(error)) return { value: plain(error, new Set()) ?? String(error) };
  return fieldsOfObject(error, new Set());
}

function fieldsOfObject(error: object, seen: ReadonlySet<object>): Fields {
  const inside = new Set([...seen, error]);
  const fields: Record<string, Json> = { constructor: error.constructor?.name ?? "" };
  for (const key of ["name", "message", ...keysOf(error)]) {
    if (LEFT_OUT.has(key)) continue;
    const value = key === "port" ? 1 : plain((error as Record<string, unknown>)[key], inside);
    if (value !== undefined) fields[key] = value;
  }
  return fields;
}

/** The names of what it has itself, then of what the classes between it and Error give it. */
function keysOf(error: object): string[] {
  const keys: string[] = [];
  for (let at = error; at && at !== Error.prototype && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    keys.push(...Object.getOwnPropertyNames(at));
  }
  return keys;
}

/** `undefined` for what cannot be kept. */
function plain(value: unknown, seen: ReadonlySet<object>): Json | undefined {
  if (typeof value === "string") return withoutWhatChanges(value);
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (!isObject(value) || typeof value === "function" || seen.has(value)) return undefined;
  if (value instanceof Error) return fieldsOfObject(value, seen);
  if (Array.isArray(value)) return value.flatMap((each) => plain(each, seen) ?? []);
  if (Buffer.isBuffer(value)) return value.toString("latin1");
  return plainObject(value, seen);
}

function plainObject(value: object, seen: ReadonlySet<object>): Json | undefined {
  // The metadata of gRPC.
  if ("toJSON" in value && typeof value.toJSON === "function") return plain(value.toJSON(), seen);
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value))) return undefined;
  const inside = new Set([...seen, value]);
  const kept = Object.entries(value).map(([key, each]) => [key, plain(each, inside)] as const);
  return Object.fromEntries(kept.filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

function withoutWhatChanges(text: string): string {
  return CHANGING.reduce((kept, [pattern, by]) => kept.replace(pattern, by), text);
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
