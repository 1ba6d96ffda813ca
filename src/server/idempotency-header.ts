/** The longest key that is taken. */
const LONGEST = 255;

// RFC 9651, 3.3.3: printable ASCII in quotes, where only a quote and a backslash are escaped.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
// As many clients send it. A comma would stand between two keys.
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;

/**
 * The one key in the value of an `Idempotency-Key` header, quoted (draft-ietf-httpapi-idempotency-key-header-07) or bare: 1 to 255
 * characters. `undefined` for anything else.
 */
export function parseIdempotencyKey(value: string): string | undefined {
  const key = QUOTED.exec(value)?.[1]?.replace(/\\(["\\])/g, "$1") ?? (BARE.test(value) ? value : "");
  return key.length >= 1 && key.length <= LONGEST ? key : undefined;
}
