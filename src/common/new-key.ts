/**
 * A random key that no other call has, a UUID of version 4: for a call that has no id of its own. Make it before the first try, and
 * give it to each. Throws a `TypeError` where the runtime has no `crypto.getRandomValues`.
 *
 * @example
 * newIdempotencyKey().length; // => 36
 */
export function newIdempotencyKey(): string {
  const { crypto } = globalThis as { crypto?: Crypto };
  // A page that did not come over https has no randomUUID.
  if (typeof crypto?.randomUUID === "function") return crypto.randomUUID();
  if (typeof crypto?.getRandomValues !== "function") {
    throw new TypeError(
      "newIdempotencyKey: there is no crypto.getRandomValues here, which a random key needs: load a polyfill",
    );
  }
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
