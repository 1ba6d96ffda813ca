import { newIdempotencyKey } from "../common/new-key.js";
import { BOOLEAN, check, FUNCTION, type Rule, readOptions, show } from "../common/validate.js";
import type { HttpRequest } from "./request.js";
import { isIdempotentMethod } from "./status.js";

/** Whether and how a request that is not idempotent gets a key that makes it so. */
export type IdempotencyKeyOption =
  | boolean
  | ((request: HttpRequest) => string | undefined)
  | {
      /**
       * The header that carries it.
       * @default "Idempotency-Key"
       */
      header?: string | undefined;
      /**
       * The key of a request, asked for once per call; `undefined` for a request that gets none.
       * @default a random UUID
       */
      value?: ((request: HttpRequest) => string | undefined) | undefined;
      /**
       * Whether it is sent in quotes, as the standard wants it; many services want it bare.
       * @default true
       */
      quoted?: boolean | undefined;
    };

export interface KeyRule {
  readonly header: string;
  readonly quoted: boolean;
  /** `undefined`: only a key of the caller's own counts. */
  readonly value: ((request: HttpRequest) => string | undefined) | undefined;
}

/** What `idempotencyKey` may be, before its fields are looked at. */
export const KEY_OPTION: Rule = [
  "true, a function that returns a key, or { header, value, quoted }",
  "any",
  (value) => ["boolean", "function"].includes(typeof value) || (typeof value === "object" && value !== null),
];
// RFC 9110, 5.1 and 5.6.2: a token.
const HEADER: Rule = ["the name of a header", "string", (name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name)];
const TABLE = { header: HEADER, value: FUNCTION, quoted: BOOLEAN };

export function keyRuleOf(owner: string, option: IdempotencyKeyOption = false): KeyRule {
  const rule = { header: "Idempotency-Key", quoted: true };
  if (typeof option === "function") return { ...rule, value: option };
  if (typeof option === "boolean") return { ...rule, value: option ? newIdempotencyKey : undefined };
  return { ...rule, value: newIdempotencyKey, ...readOptions<object>(`${owner}.idempotencyKey`, option, TABLE) };
}

/** Gives a request the key that it needs, unless it has one. Answers whether it has one then. */
export function applyKey(owner: string, { header, quoted, value }: KeyRule, request: HttpRequest): boolean {
  // axios leaves a header out that is null or false, and an empty key is none.
  if (request.headers.has(header)) return !!request.headers.get(header);
  if (!value || isIdempotentMethod(request.method)) return false;
  const key = value(request);
  if (key === undefined) return false;
  check(owner, "what idempotencyKey returns", key, KEY);
  request.headers.set(header, quoted ? quote(owner, key) : key);
  return true;
}

const KEY: Rule = ["a string that is not empty", "string", (key) => key !== ""];

/** A string as RFC 9651 writes it (3.3.3), which is what the header is defined to be. */
function quote(owner: string, key: string): string {
  if (!/^[\x20-\x7e]*$/.test(key)) {
    throw new TypeError(`${owner}: what idempotencyKey returns must be printable ASCII, got ${show(key)}`);
  }
  return `"${key.replace(/["\\]/g, "\\$&")}"`;
}
