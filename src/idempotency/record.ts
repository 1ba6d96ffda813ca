import { describe, readField } from "../common/inspect.js";

// What a later call gets must be what the first one got. JSON changes more than it refuses: a Date becomes a string, a
// NaN null, a Map an empty object. So everything that would come back as something else is refused, but for what few would
// tell apart: -0 comes back as 0, an object without a prototype as a plain one, and a property that is undefined is left out.

/** A result as it is kept: as JSON, or why it cannot be. Never throws. */
export function recordOf(value: unknown): { readonly text: string; readonly refused: string | undefined } {
  try {
    return { text: JSON.stringify({ value: copyOf(value, "the result", IN_ORDER) }), refused: undefined };
  } catch (error) {
    const refused = flawOf(error, "the result");
    return { text: JSON.stringify({ refused }), refused };
  }
}

/** What `recordOf` wrote. */
export function readRecord(text: string): { readonly value: unknown; readonly refused: string | undefined } {
  const { value, refused } = JSON.parse(text);
  return { value, refused };
}

/**
 * Arguments as JSON, to tell them from others: the order of an object's keys says nothing, nor does an `undefined` at the end. Throws
 * a `TypeError` that names what JSON cannot tell.
 */
export function jsonOf(owner: string, args: readonly unknown[]): string {
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  try {
    // Each in a list of its own, so that undefined is not taken for null.
    const told = args.slice(0, count).map((arg, index) => {
      return arg === undefined ? [] : [copyOf(arg, `argument ${index + 1}`, SORTED)];
    });
    return JSON.stringify(told);
  } catch (cause) {
    const options = cause instanceof Flaw ? undefined : { cause };
    throw new TypeError(`${owner}: ${flawOf(cause, "an argument")}; give a fingerprint of your own`, options);
  }
}

/** What JSON would change. */
class Flaw extends Error {}

function flawOf(error: unknown, what: string): string {
  return error instanceof Flaw ? error.message : `${what} cannot be made JSON: ${describe(error)}`;
}

type KeysOf = (value: object) => string[];
const IN_ORDER: KeysOf = (value) => Object.keys(value);
const SORTED: KeysOf = (value) => Object.keys(value).sort();

/**
 * A copy that JSON gives back as it is; throws where there is none. Each property is read once: a getter may answer something
 * else the second time.
 */
function copyOf(value: unknown, path: string, keysOf: KeysOf, above: readonly object[] = []): unknown {
  switch (typeof value) {
    case "undefined":
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      throw new Flaw(`${path} is ${value}, which JSON does not have`);
    case "object":
      return value === null ? null : copyOfObject(value, path, keysOf, above);
    default:
      throw new Flaw(`${path} is a ${typeof value}, which JSON does not have`);
  }
}

function copyOfObject(value: object, path: string, keysOf: KeysOf, above: readonly object[]): object {
  if (above.includes(value)) throw new Flaw(`${path} is a cycle`);
  if (!isPlain(value)) throw new Flaw(`${path} is of the kind ${kindOf(value)}, which JSON does not have`);
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") throw new Flaw(`${path} has a toJSON of its own`);
  if (Object.getOwnPropertySymbols(value).some((key) => Object.prototype.propertyIsEnumerable.call(value, key))) {
    throw new Flaw(`${path} has a symbol for a key, which JSON does not have`);
  }
  const inside = [...above, value];
  if (Array.isArray(value)) return copyOfArray(value, path, keysOf, inside);
  // Without a prototype "__proto__" is a key like any other.
  const copy = Object.create(null);
  for (const key of keysOf(value)) {
    copy[key] = copyOf((value as Record<string, unknown>)[key], `${path}.${key}`, keysOf, inside);
  }
  return copy;
}

function copyOfArray(value: readonly unknown[], path: string, keysOf: KeysOf, inside: readonly object[]): unknown[] {
  const copy: unknown[] = [];
  // By index: what is missing is undefined, and JSON makes null of it.
  for (let index = 0; index < value.length; index++) {
    const each = value[index];
    if (each === undefined) throw new Flaw(`${path}[${index}] is undefined`);
    copy.push(copyOf(each, `${path}[${index}]`, keysOf, inside));
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
