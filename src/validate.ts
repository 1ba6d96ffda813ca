/** What an option may be: the words for it, its `typeof`, and what else must hold. */
export type Rule = readonly [allowed: string, type: string, test?: (value: any) => boolean];

/** ms that are really waited: finite, from 0. */
export const TIME: Rule = ["a finite number of ms from 0", "number", (ms) => ms >= 0 && ms < Infinity];
/** ms that bound something: Infinity is no bound. */
export const BOUND: Rule = ["a number of ms from 0", "number", (ms) => ms >= 0];
/** ms after which something is cut off. */
export const TIMEOUT: Rule = ["a number of ms above 0", "number", (ms) => ms > 0];
export const COUNT: Rule = [
  "a whole number from 1, or Infinity",
  "number",
  (n) => n >= 1 && (Number.isInteger(n) || n === Infinity),
];
export const FACTOR: Rule = ["a finite number from 1", "number", (factor) => factor >= 1 && factor < Infinity];
export const FINITE: Rule = ["a finite number", "number", Number.isFinite];
export const RATIO: Rule = ["a finite number from 0", "number", (ratio) => ratio >= 0 && ratio < Infinity];
export const FUNCTION: Rule = ["a function", "function"];
export const BOOLEAN: Rule = ["true or false", "boolean"];
export const STRING: Rule = ["a string", "string"];

/**
 * Throws, naming owner, option, value and what is allowed: a `TypeError` for the wrong kind of value, a `RangeError`
 * for a number out of range.
 */
export function check(owner: string, option: string, value: unknown, [allowed, type, test]: Rule): void {
  const ofType = typeof value === type && value !== null;
  if (ofType && (!test || test(value))) return;
  const Kind = ofType && type === "number" ? RangeError : TypeError;
  throw new Kind(`${owner}: ${option} must be ${allowed}, got ${show(value)}`);
}

/**
 * Checks an options object against a table: no unknown name, no bad value, nothing `required` left out. An option that
 * is `undefined` counts as not given.
 */
export function checkOptions(
  owner: string,
  options: unknown,
  table: Record<string, Rule>,
  required: readonly string[] = [],
): void {
  check(owner, "options", options, ["an object", "object"]);
  const given = options as Record<string, unknown>;
  for (const option in given) {
    if (!Object.hasOwn(table, option)) {
      throw new TypeError(`${owner}: there is no option ${show(option)}; allowed are ${Object.keys(table).join(", ")}`);
    }
    if (given[option] !== undefined) check(owner, option, given[option], table[option]!);
  }
  for (const option of required) check(owner, option, given[option], table[option]!);
}

/** Throws a `RangeError` unless `low <= high`. */
export function checkOrder(owner: string, lowName: string, low: number, highName: string, high: number): void {
  if (low > high) throw new RangeError(`${owner}: ${lowName} must not be above ${highName} (${high}), got ${low}`);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : String(value);
}

/** Checks the parts of a combinator: at least one, each a function. */
export function checkAll(owner: string, strategies: readonly unknown[]): void {
  if (strategies.length === 0) throw new TypeError(`${owner}: at least one strategy is needed, got none`);
  strategies.forEach((strategy, index) => {
    check(owner, `strategy ${index + 1}`, strategy, FUNCTION);
  });
}
