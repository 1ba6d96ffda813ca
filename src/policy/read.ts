import { meantByName } from "../common/meant.js";
import { check, OPTIONS, type Rule, show } from "../common/validate.js";
import { FORMS, type Form } from "./forms.js";
import type { Kind, Made, Plain } from "./kinds.js";

/** What data may name but cannot hold: functions, classes, budgets, by the names that data uses. */
export type Refs = Readonly<Record<string, unknown>>;

/** What a reader of data needs to know where it is. */
export interface Place {
  /** As `wait.waitFullJitter.max`. */
  readonly path: string;
  readonly depth: number;
  readonly refs: Refs;
  /** Hears of each strategy and each reference that was read, and of the data that it was read from. */
  readonly made: (value: unknown, data: unknown) => void;
}

// Deeper than any policy, and shallow enough for any stack.
const DEEPEST = 20;
const OWNER = "policyFrom";

export const STRATEGY_ROLES = ["stop", "wait", "retryIf"] as const;
export type Role = (typeof STRATEGY_ROLES)[number];

const isRole = (kind: string): kind is Role => (STRATEGY_ROLES as readonly string[]).includes(kind);

/** Reads a value of a kind, or throws an error that names its path. */
export function readValue(kind: Kind, data: unknown, place: Place): unknown {
  if (typeof kind === "object") return readPlain(kind, data, place);
  if (isRole(kind)) return readStrategy(kind, data, place);
  return readMade(kind, data, place);
}

function readPlain({ rule }: Plain, data: unknown, { path }: Place): unknown {
  check(OWNER, path, data, rule);
  return data;
}

function readMade(kind: Exclude<Made, Role>, data: unknown, place: Place): unknown {
  if (kind === "pattern") return readPattern(data, place);
  if (kind === "ref" || !Array.isArray(data)) return readRef(data, place);
  return data.map((each, index) => readRef(each, within(place, index)));
}

/** `{ "ref": name }`. */
export function readRef(data: unknown, place: Place): unknown {
  const { path, refs } = place;
  const names = Object.keys(refs);
  const known = names.length > 0 ? names.join(", ") : "none";
  const { ref } = readObject(data, { ref: "needed" }, place, '{ "ref": name }') as { ref: unknown };
  const rule: Rule = [`a name in refs (there: ${known})`, "string", (name: string) => Object.hasOwn(refs, name)];
  check(OWNER, `${path}.ref`, ref, rule);
  const value = refs[ref as string];
  place.made(value, data);
  return value;
}

/** A text that is contained, or `{ "pattern", "flags" }` of a regular expression. */
function readPattern(data: unknown, place: Place): string | RegExp {
  if (typeof data === "string") return data;
  const needed = { pattern: "needed", flags: "optional" } as const;
  const { pattern, flags = "" } = readObject(data, needed, place, 'a text, or { "pattern", "flags" }');
  check(OWNER, `${place.path}.pattern`, pattern, ["a text", "string"]);
  check(OWNER, `${place.path}.flags`, flags, ["a text", "string"]);
  const { path } = place;
  regExpOf(`${path}.flags must be flags of a regular expression, got ${show(flags)}`, "", flags as string);
  return regExpOf(
    `${path}.pattern must be a regular expression, got ${show(pattern)}`,
    pattern as string,
    flags as string,
  );
}

function regExpOf(message: string, pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (cause) {
    throw new TypeError(`${OWNER}: ${message}`, { cause });
  }
}

/** `"waitNone"`, `{ "waitFixed": 200 }`, `{ "ref": name }`. */
function readStrategy(role: Role, data: unknown, place: Place): unknown {
  const { path, depth } = place;
  if (depth > DEEPEST) throw new RangeError(`${OWNER}: ${path} must not be nested deeper than ${DEEPEST}`);
  const forms = FORMS[role];
  const name = typeof data === "string" ? data : nameIn(role, data, place);
  if (name === "ref") return readRef(data, place);
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (!form) {
    const allowed = [...Object.keys(forms), "{ ref }"].join(", ");
    throw new TypeError(
      `${OWNER}: ${path} must be one of ${allowed}; got ${show(name)}${meantByName(Object.keys(forms), name, data)}`,
    );
  }
  const strategy =
    typeof data === "string"
      ? buildAlone(form, name, place)
      : build(form, name, (data as Record<string, unknown>)[name], {
          ...place,
          path: `${path}.${name}`,
          depth: depth + 1,
        });
  place.made(strategy, data);
  return strategy;
}

function nameIn(role: Role, data: unknown, { path }: Place): string {
  const names = typeof data === "object" && data !== null && !Array.isArray(data) ? Object.keys(data) : [];
  if (names.length === 1) return names[0]!;
  const example = {
    stop: '{ "stopAfterAttempt": 5 }',
    wait: '{ "waitFixed": 200 }',
    retryIf: '{ "retryIfErrorCode": [503] }',
  };
  const got = names.length > 1 ? `names ${names.join(", ")}` : show(data);
  throw new TypeError(`${OWNER}: ${path} must be a name, or an object with one, as ${example[role]}; got ${got}`);
}

/** A strategy whose data is its name, and nothing else. */
function buildAlone(form: Form, name: string, place: Place): object {
  if (form.shape === "constant" || (form.shape === "arguments" && form.least === 0)) return make(form, [], place);
  throw new TypeError(`${OWNER}: ${place.path}: ${name} needs its arguments: write { "${name}": … }`);
}

function build(form: Form, name: string, data: unknown, place: Place): object {
  if (form.shape === "constant") {
    throw new TypeError(`${OWNER}: ${place.path} must be written as "${name}", it takes nothing`);
  }
  return make(form, argumentsOf(form, data, place), place);
}

function argumentsOf(form: Exclude<Form, { shape: "constant" }>, data: unknown, place: Place): unknown[] {
  if (form.shape === "options") return [readOptionsOf(form, data, place)];
  if (form.shape === "list") {
    const parts = Array.isArray(data) ? data : [data];
    if (parts.length === 0)
      throw new TypeError(`${OWNER}: ${place.path} must hold at least one ${form.name}, got none`);
    return parts.map((part, index) => readValue(form.kind, part, Array.isArray(data) ? within(place, index) : place));
  }
  const { args, least } = form;
  // One argument stands by itself; what may take several takes them in an array.
  const given: unknown[] = args.length > 1 && Array.isArray(data) ? data : [data];
  if (given.length < Math.max(1, least) || given.length > args.length) {
    const wanted = args.map(([name]) => name).join(", ");
    throw new TypeError(`${OWNER}: ${place.path} must be [${wanted}], got ${given.length} of them`);
  }
  return given.map((value, index) => readValue(args[index]![1], value, given === data ? within(place, index) : place));
}

function readOptionsOf({ options, required }: Form & { shape: "options" }, data: unknown, place: Place): object {
  const needs = Object.fromEntries(
    Object.keys(options).map((name) => [name, required.includes(name) ? ("needed" as const) : ("optional" as const)]),
  );
  const given = readObject(data, needs, place, "an object");
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, readValue(options[name]!, value, within(place, name))]),
  );
}

/** An object's own values, of names that are known. */
export function readObject(
  data: unknown,
  names: Readonly<Record<string, "needed" | "optional">>,
  { path }: Place,
  allowed: string,
): Record<string, unknown> {
  const at = path || "data";
  check(OWNER, at, data, [allowed, OPTIONS[1], OPTIONS[2]] as Rule);
  const known = Object.keys(names);
  for (const name of Object.keys(data as object)) {
    if (Object.hasOwn(names, name)) continue;
    const meant = meantByName(known, name, (data as Record<string, unknown>)[name]);
    throw new TypeError(
      `${OWNER}: there is no ${path ? `${path}.` : ""}${name}; allowed are ${known.join(", ")}${meant}`,
    );
  }
  const given = Object.entries(data as object).filter(([, value]) => value !== undefined);
  const missing = known.find((name) => names[name] === "needed" && !given.some(([each]) => each === name));
  if (missing) throw new TypeError(`${OWNER}: ${path}.${missing} is missing`);
  return Object.fromEntries(given);
}

/** The strategy itself may refuse what its arguments are together, as a `min` above `max`. */
function make(form: Form, given: unknown[], { path }: Place): object {
  try {
    return form.build(...given);
  } catch (cause) {
    const Kind = cause instanceof RangeError ? RangeError : TypeError;
    throw new Kind(`${OWNER}: ${path}: ${(cause as Error).message}`, { cause });
  }
}

export function within(place: Place, name: string | number): Place {
  const { path } = place;
  return { ...place, path: typeof name === "number" ? `${path}[${name}]` : path ? `${path}.${name}` : name };
}
