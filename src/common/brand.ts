// Our own errors are told by a symbol: their `code` stands for users, and a server that copies `{ code }` into an error must
// steer nothing. `Symbol.for`, so that two copies of this package know each other's.
const brand: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.error");

/** Which of our own errors it is; told by this and not by class, so that a subclass and another copy's count. */
export type Kind = `ERR_${string}`;

/** Makes `error` one of our own, of the kind that its `code` says; a subclass may set another code then. */
export function brandAs(error: Error & { readonly code: Kind }): void {
  hide(error, brand, error.code);
}

/** Which of our own errors `error` is, if any. Throws nothing, whatever it is. */
export function kindOf(error: unknown): Kind | undefined {
  try {
    return (error as { [brand]?: Kind } | null | undefined)?.[brand];
  } catch {
    return undefined;
  }
}

/** Makes `error` one that says that the code is wrong: another attempt cannot mend it. */
export function misuse<E extends Error>(error: E): E {
  hide(error, brand, MISUSE);
  return error;
}

export const MISUSE = "ERR_MISUSE";

/** Adds a property that no logger shows. */
export function hide(error: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(error, key, { value });
}
