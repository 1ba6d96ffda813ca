import { codeOf, readField } from "./inspect.js";

// A word, and no text: what is longer may hold anything.
const WORD = /^[\w$.:-]{1,80}$/;

/** The error's `name`, or the type of what is no error. */
export function errorTypeOf(error: unknown): string {
  const name = readField(error, "name");
  if (typeof name === "string" && WORD.test(name)) return name;
  return error instanceof Error ? "Error" : error === null ? "null" : typeof error;
}

/** The error's `code`, where that is a number or a word. */
export function shortCodeOf(error: unknown): string | number | undefined {
  const code = codeOf(error);
  return typeof code === "number" || (typeof code === "string" && WORD.test(code)) ? code : undefined;
}
