import { fromBase64, toBase64 } from "../common/base64.js";
import { describe, readField } from "../common/inspect.js";

// What a later call gets must be what the first one got. JSON changes more than it refuses: a NaN becomes null, a Map an empty
// object. Dates, bigints and bytes, as rows of a database have them, are written as { "$undaunted": [kind, value] }. What else would
// come back as something else is refused, but for what few would tell apart: -0 comes back as 0, an object without a prototype as a
// plain one, and a property that is undefined is left out.

const TAG = "$undaunted";

/** A value in a form that JSON gives back, or why there is none. Never throws. */
export function tagged(value: unknown): { readonly plain: unknown } | { readonly refused: string } {
  try {
    const plain = plainOf(value, "the result", []);
    // What is nested too deeply for JSON is found out here.
    JSON.stringify(plain);
    return { plain };
  } catch (error) {
    return { refused: error instanceof Flaw ? error.message : `the result cannot be made JSON: ${describe(error)}` };
  }
}

/** The value that `tagged` was given, from its form. */
export function untagged(plain: unknown): unknown {
  if (typeof plain !== "object" || plain === null) return plain;
  if (Array.isArray(plain)) return plain.map(untagged);
  if (!Object.hasOwn(plain, TAG)) return copyProperties(plain);
  const [kind, value] = (plain as Record<string, [string, never]>)[TAG]!;
  return (READERS[kind] ?? unknownKind(kind))(value);
}

function copyProperties(plain: object): object {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(plain)) {
    // Assigned, "__proto__" would set the prototype.
    Object.defineProperty(copy, key, { value: untagged(value), writable: true, enumerable: true, configurable: true });
  }
  return copy;
}

function unknownKind(kind: unknown): never {
  throw new TypeError(`a value of the kind ${JSON.stringify(kind)} is not known here`);
}

const READERS: Readonly<Record<string, (value: any) => unknown>> = {
  date: (ms: number | null) => new Date(ms ?? Number.NaN),
  bigint: (digits: string) => BigInt(digits),
  bytes: (text: string) => fromBase64(text),
  buffer: (text: string) => bufferOf(fromBase64(text)),
  "array-buffer": (text: string) => fromBase64(text).buffer,
  // An object of the user's that has the tag for a key.
  object: (plain: object) => copyProperties(plain),
};

/** As Node has it; where there is none, its bytes. */
function bufferOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const { Buffer } = globalThis as { Buffer?: { from(buffer: ArrayBuffer): Uint8Array } };
  return Buffer ? Buffer.from(bytes.buffer) : bytes;
}

/** What JSON would change. */
class Flaw extends Error {}

/** Each property is read once: a getter may return something else the second time. */
function plainOf(value: unknown, path: string, above: readonly object[]): unknown {
  switch (typeof value) {
    case "undefined":
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      throw new Flaw(`${path} is ${value}, which JSON does not have`);
    case "bigint":
      return { [TAG]: ["bigint", String(value)] };
    case "object":
      return value === null ? null : (specialOf(value) ?? plainOfObject(value, path, above));
    default:
      throw new Flaw(`${path} is a ${typeof value}, which JSON does not have`);
  }
}

function specialOf(value: object): object | undefined {
  const prototype = Object.getPrototypeOf(value);
  const kind = tagOf(value);
  // Not of a subclass: that would not come back as one. The prototype has the method itself, in whatever realm.
  if (kind === "Date" && Object.hasOwn(prototype, "getTime")) {
    return { [TAG]: ["date", (value as Date).getTime()] };
  }
  if (kind === "ArrayBuffer" && Object.hasOwn(prototype, "slice")) {
    return { [TAG]: ["array-buffer", toBase64(new Uint8Array(value as ArrayBuffer))] };
  }
  if (kind !== "Uint8Array") return undefined;
  if (Object.hasOwn(prototype, "BYTES_PER_ELEMENT")) return { [TAG]: ["bytes", toBase64(value as Uint8Array)] };
  const { Buffer } = globalThis as { Buffer?: { prototype: object } };
  return prototype === Buffer?.prototype ? { [TAG]: ["buffer", toBase64(value as Uint8Array)] } : undefined;
}

function plainOfObject(value: object, path: string, above: readonly object[]): object {
  if (above.includes(value)) throw new Flaw(`${path} is a cycle`);
  if (!isPlain(value)) throw new Flaw(`${path} is of the kind ${kindOf(value)}, which JSON does not have`);
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") throw new Flaw(`${path} has a toJSON of its own`);
  if (Object.getOwnPropertySymbols(value).some((key) => Object.prototype.propertyIsEnumerable.call(value, key))) {
    throw new Flaw(`${path} has a symbol for a key, which JSON does not have`);
  }
  const inside = [...above, value];
  if (Array.isArray(value)) return plainOfArray(value, path, inside);
  // Without a prototype "__proto__" is a key like any other.
  const copy = Object.create(null);
  for (const key of Object.keys(value)) {
    copy[key] = plainOf((value as Record<string, unknown>)[key], `${path}.${key}`, inside);
  }
  return TAG in copy ? { [TAG]: ["object", copy] } : copy;
}

function plainOfArray(value: readonly unknown[], path: string, inside: readonly object[]): unknown[] {
  const copy: unknown[] = [];
  // By index: what is missing is undefined, and JSON makes null of it.
  for (let index = 0; index < value.length; index++) {
    const each = value[index];
    if (each === undefined) throw new Flaw(`${path}[${index}] is undefined`);
    copy.push(plainOf(each, `${path}[${index}]`, inside));
  }
  const more = Object.keys(value)[value.length];
  if (more !== undefined) throw new Flaw(`${path} is an array that also has a property ${JSON.stringify(more)}`);
  return copy;
}

/** Whether it is an array or object of no class, of whatever realm. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  // The prototype of arrays is an array itself, that of a subclass is not.
  if (Array.isArray(value)) return Array.isArray(prototype);
  return (prototype === null || Object.hasOwn(prototype, "hasOwnProperty")) && tagOf(value) === "Object";
}

function kindOf(value: object): string {
  const tag = tagOf(value);
  return tag === "Object" || tag === "Array" ? String(readField(readField(value, "constructor"), "name")) : tag;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
