import { readField } from "../common/inspect.js";

/**
 * Reads a number of ms at a path, as `response.headers.retry-after`, of what was thrown or returned. A step into `Headers` or a
 * `Map` is a `get`. What is no number there, nor text that says one from 0, is none.
 */
export function lookUp(path: string, unit: "ms" | "s" = "ms"): (value: unknown) => number | undefined {
  const steps = path.split(".");
  return (value) => {
    const found = steps.reduce(step, value);
    const amount = typeof found === "string" && /^\s*\d+(\.\d+)?\s*$/.test(found) ? Number(found) : found;
    if (typeof amount !== "number" || !(amount >= 0 && amount < Infinity)) return undefined;
    return unit === "s" ? amount * 1_000 : amount;
  };
}

function step(value: unknown, name: string): unknown {
  const get = readField(value, "get");
  // A client in an error has a `get` too, and asking it would send a request.
  const isMap = typeof get === "function" && typeof readField(value, "has") === "function";
  if (!isMap || (Object(value) === value && Object.hasOwn(value as object, name))) {
    return readField(value, name);
  }
  try {
    return get.call(value, name);
  } catch {
    return undefined;
  }
}
