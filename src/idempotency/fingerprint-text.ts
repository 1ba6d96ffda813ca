import { toBase64 } from "../common/base64.js";
import { describe } from "../common/inspect.js";

// A fingerprint only has to differ where the call asks for something else; nothing is read back from it. So whatever can be written
// down is taken: an instance of a class by its own properties, as it would come from a queue.

/**
 * Arguments as a text that tells them from others: the order of an object's keys makes no difference, nor does an `undefined` at the
 * end. Throws a `TypeError` that names what cannot be told from another: a function, a symbol, a cycle.
 */
export function fingerprintText(owner: string, args: readonly unknown[]): string {
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  try {
    // Each in a list of its own, so that undefined is not taken for null.
    return JSON.stringify(
      args.slice(0, count).map((arg, index) => (arg === undefined ? [] : [plainOf(arg, `argument ${index + 1}`, [])])),
    );
  } catch (cause) {
    const known = cause instanceof Untold;
    const why = known ? cause.message : `an argument cannot be made JSON: ${describe(cause)}`;
    throw new TypeError(`${owner}: ${why}; give a fingerprint of your own`, known ? undefined : { cause });
  }
}

class Untold extends Error {}

/** What JSON has no word for, as an array that no other value becomes: arrays are written behind a 0. */
type Tagged = readonly [tag: string | 0, ...rest: unknown[]];

function plainOf(value: unknown, path: string, above: readonly object[]): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return ["undefined"];
    case "number":
      return Number.isFinite(value) ? value : ["number", String(value)];
    case "bigint":
      return ["bigint", String(value)];
    case "object":
      return value === null ? null : plainOfObject(value, path, above);
    default:
      throw new Untold(`${path} is a ${typeof value}, which JSON does not have`);
  }
}

function plainOfObject(value: object, path: string, above: readonly object[]): unknown {
  if (above.includes(value)) throw new Untold(`${path} is a cycle`);
  const inside = [...above, value];
  if (Array.isArray(value)) return [0, ...Array.from(value, (each, at) => plainOf(each, `${path}[${at}]`, inside))];
  return builtIn(value, path, inside) ?? plainOfProperties(value, path, inside);
}

/** What has its contents elsewhere than in properties. */
function builtIn(value: object, path: string, inside: readonly object[]): Tagged | undefined {
  if (value instanceof Date) return ["date", value.getTime()];
  if (value instanceof RegExp) return ["regexp", String(value)];
  if (value instanceof Error) return ["error", value.name, value.message, plainOfProperties(value, path, inside)];
  if (value instanceof ArrayBuffer) return ["bytes", toBase64(new Uint8Array(value))];
  if (ArrayBuffer.isView(value)) {
    return ["bytes", toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))];
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return ["json", plainOf(toJSON.call(value, ""), path, inside)];
  const iterator = (value as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  // An iterator is used up by whoever reads it: that is for the function.
  if (typeof iterator !== "function" || iterator.call(value) === value) return undefined;
  const all = Array.from(value as Iterable<unknown>, (each, at) => plainOf(each, `${path}[${at}]`, inside));
  return ["iterable", all, plainOfProperties(value, path, inside)];
}

function plainOfProperties(value: object, path: string, inside: readonly object[]): object {
  if (Object.getOwnPropertySymbols(value).some((key) => Object.prototype.propertyIsEnumerable.call(value, key))) {
    throw new Untold(`${path} has a symbol for a key, which JSON does not have`);
  }
  // Without a prototype "__proto__" is a key like any other.
  const copy = Object.create(null);
  for (const key of Object.keys(value).sort()) {
    const each = (value as Record<string, unknown>)[key];
    if (each !== undefined) copy[key] = plainOf(each, `${path}.${key}`, inside);
  }
  return copy;
}
