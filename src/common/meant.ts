// What a mistake was meant to say, for the end of a message.

/** What a function returns, or fails with, that should have been called by the user. */
export const UNCALLED = "; was a factory passed without a call?";

/** Of a wrong value; `first` is the first option that stands in a table, where `value` stands for all. */
export function meantBy(owner: string, option: string, value: unknown, first?: string): string {
  if (isState(value) || (value instanceof Error && owner.startsWith("retryIf"))) {
    return UNCALLED;
  }
  if (isErrorClass(value))
    return /^retryIf/.test(owner) || option === "retryIf" ? ask(`retryIfErrorType(${value.name})`) : "";
  if (typeof value !== "number") return "";
  if (first) return ask(`{ ${first}: ${first === "stop" ? attempts(value) : value} }`);
  return option === "stop" ? ask(attempts(value)) : option === "wait" ? ask(`waitFixed(${value})`) : "";
}

/** Of an option that is none of `names`. */
export function meantByName(names: readonly string[], option: string, value: unknown): string {
  const word = option.toLowerCase();
  const near = names.filter((name) => {
    const known = name.toLowerCase();
    return oddLetters(known, word) + oddLetters(word, known) < Math.min(3, known.length);
  });
  if (near.length > 0) return ask(near.join(" or "));
  if (typeof value === "number" && names.includes("after")) return ask("after");
  // What other libraries count. Their retries do not include the first call.
  const count = /(re)?tries$|attempts$/.exec(word);
  if (!count || !names.includes("stop")) return "";
  return ask(`stop: ${attempts(count[1] ? Number(value) + 1 : value)}`);
}

function attempts(count: unknown): string {
  return `stopAfterAttempt(${count})`;
}

function ask(meant: string): string {
  return `; did you mean ${meant}?`;
}

/** How many letters of one word the other has not: a slip leaves most of them. */
function oddLetters(word: string, other: string): number {
  return [...word].filter((letter) => !other.includes(letter)).length;
}

/** Whether a value is a class of errors. */
export function isErrorClass(value: unknown): value is ErrorConstructor {
  return value === Error || (typeof value === "function" && value.prototype instanceof Error);
}

/** Whether a value is the state of an attempt. */
export function isState(value: unknown): boolean {
  return Object(value) === value && "attempt" in (value as object) && "outcome" in (value as object);
}
