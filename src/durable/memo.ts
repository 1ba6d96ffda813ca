import { AttemptTimeoutError } from "../common/errors.js";
import { chainOf, readField } from "../common/inspect.js";

/**
 * What a policy remembers of a call from one decision to the next, in whatever process that is taken: plain JSON of at most 1 kB, with no
 * text of the call's own beside the codes and names of its errors. No part of it is a policy: new options apply at the next decision.
 */
export interface RetryMemo {
  /** The version of this form. */
  readonly v: 1;
  /** Epoch ms: when the call began. */
  readonly startedAt: number;
  /** Attempts made so far. */
  readonly attempt: number;
  /** ms, the last sleep that was decided. */
  readonly previousDelay: number;
  /** ms of all sleeps that were decided. */
  readonly idle: number;
  /** Epoch ms: when the next attempt is due, or when the call was given up. */
  readonly at: number;
  /** Tokens that the retry to come has taken from its budget. */
  readonly taken: number;
  /** For each code and name of an error: how many attempts failed with it, and which one was the last. */
  readonly errors: ErrorCounts;
}

/** `[attempts that failed with it, the last of them]` by code (a number as `#503`) or name. */
export type ErrorCounts = { readonly [codeOrName: string]: readonly [count: number, last: number] };

const VERSION = 1;
const MOST_KINDS = 12;
// 12 of them, with their numbers, stay under 800 bytes.
const KEY = /^#?[\w.:$-]{1,40}$/;

const FIELDS = ["startedAt", "attempt", "previousDelay", "idle", "at", "taken"] as const;

/** The memo that was handed in, `undefined` for none. Throws where it is none that this release can go by. */
export function readMemo(memo: unknown): RetryMemo | undefined {
  if (memo === undefined || memo === null) return undefined;
  const version = readField(memo, "v");
  if (version !== VERSION) {
    const found = typeof version === "number" ? `version ${version}` : "no version";
    throw new TypeError(
      `the memo has ${found}, and this release reads version ${VERSION}: end the calls of another release with that release`,
    );
  }
  const given = memo as RetryMemo;
  for (const field of FIELDS) {
    const value: unknown = given[field];
    if (typeof value !== "number" || !Number.isFinite(value)) throw new TypeError(`the memo's ${field} is no number`);
  }
  return { ...given, errors: readCounts(given.errors) };
}

function readCounts(counts: unknown): ErrorCounts {
  if (typeof counts !== "object" || counts === null) return {};
  const isCount = (each: unknown) => Array.isArray(each) && each.length === 2 && each.every(Number.isFinite);
  return Object.fromEntries(Object.entries(counts).filter(([key, each]) => KEY.test(key) && isCount(each)));
}

/** How `stopAfterErrors` and the memo call a code or a name. */
export function keyOf(codeOrName: string | number): string {
  return typeof codeOrName === "number" ? `#${codeOrName}` : codeOrName;
}

const CODE_FIELDS = ["code", "errno", "status", "statusCode"];

/** What an error is counted under: its name, and the codes of the outermost error in its chain that has any. */
export function keysOf(error: unknown): string[] {
  const codes = chainOf(error).map((each) => CODE_FIELDS.map((field) => readField(each, field)).filter(isCode));
  const found = [readField(error, "name"), ...(codes.find((each) => each.length > 0) ?? [])].filter(isCode).map(keyOf);
  return [...new Set(found)].filter((key) => KEY.test(key));
}

function isCode(code: unknown): code is string | number {
  return typeof code === "string" || typeof code === "number";
}

/** `counts` with one more failure in attempt number `attempt`. Where there is no more room, the rarest makes room. */
export function countFailure(counts: ErrorCounts, error: unknown, attempt: number): ErrorCounts {
  const counted = new Map(Object.entries(counts));
  for (const key of keysOf(error)) {
    const [count, last] = counted.get(key) ?? [0, 0];
    // An attempt that was decided before, in a process that then died, is counted once.
    if (last !== attempt) counted.set(key, [count + 1, attempt]);
    if (counted.size > MOST_KINDS) counted.delete(rarest(counted, attempt));
  }
  return Object.fromEntries(counted);
}

function rarest(counted: ReadonlyMap<string, readonly [number, number]>, attempt: number): string {
  const others = [...counted].filter(([, [, last]]) => last !== attempt);
  return others.sort(([, [a]], [, [b]]) => a - b)[0]![0];
}

/** A stand-in for what the last attempt of a memo threw: what is left of it are its codes. */
export function lastErrorOf({ errors, attempt }: RetryMemo): Error | undefined {
  const last = Object.entries(errors)
    .filter(([, [, failed]]) => failed === attempt)
    .map(([key]) => key);
  if (last.length === 0) return undefined;
  if (last.includes("ERR_ATTEMPT_TIMEOUT")) return new AttemptTimeoutError(Number.NaN, attempt);
  const error = new Error(`attempt ${attempt} failed with ${last.join(", ")}`);
  for (const key of last) {
    if (key.startsWith("#")) Object.assign(error, { status: Number(key.slice(1)) });
    else if (/Error$|Exception$/.test(key)) Object.defineProperty(error, "name", { value: key, configurable: true });
    else Object.assign(error, { code: key });
  }
  return error;
}
