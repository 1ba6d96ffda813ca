import { bounded } from "./inspect.js";
import { isErrorClass, isState, meantBy, meantByName } from "./meant.js";
import { isThenable } from "./thenable.js";

/** What an option may be: the words for it, its `typeof` (or "any", or two: "object|function"), and what else must hold. */
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
export const WHOLE: Rule = ["a whole number from 1", "number", (n) => n >= 1 && Number.isInteger(n)];
export const ABOVE_0: Rule = ["a finite number above 0", "number", (amount) => amount > 0 && amount < Infinity];
/** ms in which something happens. */
export const SPAN: Rule = ["a finite number of ms above 0", "number", (ms) => ms > 0 && ms < Infinity];
/** A rate that must be reached. */
export const RATE: Rule = ["a number above 0, at most 1", "number", (rate) => rate > 0 && rate <= 1];
export const FACTOR: Rule = ["a finite number from 1", "number", (factor) => factor >= 1 && factor < Infinity];
export const FINITE: Rule = ["a finite number", "number", (n) => Number.isFinite(n)];
export const RATIO: Rule = ["a finite number from 0", "number", (ratio) => ratio >= 0 && ratio < Infinity];
export const OPTIONS: Rule = [
  "an object",
  "object",
  (value) => !Array.isArray(value) && !isThenable(value) && !isState(value),
];
export const FUNCTION: Rule = ["a function", "function"];
/** A class of errors, called as a function, would say yes to all. */
export const PREDICATE: Rule = ["a function", "function", (fn) => !isErrorClass(fn)];
export const BOOLEAN: Rule = ["true or false", "boolean"];
export const STRING: Rule = ["a string", "string"];

/** A test for objects with these methods. */
export const hasMethods =
  (...names: readonly string[]) =>
  (value: Record<string, unknown>): boolean =>
    names.every((name) => typeof value[name] === "function");

/**
 * Throws, naming owner, option, value and what is allowed: a `TypeError` for the wrong kind of value, a `RangeError`
 * for a number out of range.
 */
export function check(
  owner: string,
  option: string,
  value: unknown,
  [allowed, type, test]: Rule,
  first?: string,
): void {
  const ofType = type === "any" || (value !== null && type.includes(typeof value));
  if (ofType && (!test || test(value))) return;
  const Kind = ofType && typeof value === "number" ? RangeError : TypeError;
  throw new Kind(`${owner}: ${option} must be ${allowed}, got ${show(value)}${meantBy(owner, option, value, first)}`);
}

/**
 * Reads an options object by a table: no unknown name, no bad value, nothing `required` left out. Each option is read
 * once, inherited ones too, but for what `Object.prototype` was given; one that is `undefined` counts as not given.
 */
export function readOptions<O extends object>(
  owner: string,
  options: O,
  table: Record<string, Rule>,
  required: readonly string[] = [],
): O {
  const names = Object.keys(table);
  const first = required[0] ?? names.find((name) => name === "stop" || table[name]![1] === "number");
  check(owner, "options", options, OPTIONS, first);
  for (const option in options) {
    if (Object.hasOwn(table, option) || !isGiven(options, option)) continue;
    const meant = meantByName(names, option, options[option]);
    throw new TypeError(`${owner}: there is no option ${show(option)}; allowed are ${names.join(", ")}${meant}`);
  }
  // Without a prototype: what another program adds to everybody's is no option either where it is read from this.
  const given: Record<string, unknown> = Object.create(null);
  for (const option of names) {
    const value = isGiven(options, option) ? (options as Record<string, unknown>)[option] : undefined;
    if (value === undefined && !required.includes(option)) continue;
    check(owner, option, value, table[option]!);
    given[option] = value;
  }
  return given as O;
}

/** Whether an object has a property, of its own or inherited from any but `Object.prototype`, of whatever realm. */
export function isGiven(object: object, name: string): boolean {
  for (let each: object | null = object; each && name in each; each = Object.getPrototypeOf(each)) {
    if (Object.hasOwn(each, name)) return !Object.hasOwn(each, "isPrototypeOf");
  }
  return false;
}

/** Throws a `RangeError` unless `low <= high`. */
export function checkOrder(owner: string, lowName: string, low: number, highName: string, high: number): void {
  if (low > high) throw new RangeError(`${owner}: ${lowName} must not be above ${highName} (${high}), got ${low}`);
}

/** A value as an error message shows it; of a list its entries, but not theirs, for it may hold itself. */
export function show(value: unknown, inList?: unknown): string {
  if (typeof value === "string") return JSON.stringify(bounded(value));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return isErrorClass(value) ? "a class" : "a function";
  // More entries than a message holds. `map` passes their numbers, from 0.
  if (Array.isArray(value) && inList === undefined) return bounded(`[${value.slice(0, 201).map(show)}]`);
  return Object(value) === value ? {}.toString.call(value) : String(value);
}

/** Checks the parts of a combinator: at least one, each as the rule says. */
export function checkAll(owner: string, parts: readonly unknown[], what = "strategy", rule = FUNCTION): void {
  if (parts.length === 0) throw new TypeError(`${owner}: at least one ${what} is needed, got none`);
  parts.forEach((part, index) => {
    check(owner, `${what} ${index + 1}`, part, rule);
  });
}

/** A clock as a guard needs it. */
export const TIME_SOURCE: Rule = ["an object with a method now", "object", /* @__PURE__ */ hasMethods("now")];

export const SIGNAL: Rule = [
  "an AbortSignal",
  "object",
  (signal) => typeof signal.aborted === "boolean" && !!signal.addEventListener,
];
