/** What server hints are read from: a `Headers`, or anything whose `get` returns a header's value. */
export interface HeaderSource {
  get(name: string): unknown;
}

/** A header's values, as clients hand them out: one or several, as strings or numbers. */
export function textsOf(headers: HeaderSource, name: string): string[] {
  const value = headers.get(name);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.flatMap((each) => (typeof each === "string" || typeof each === "number" ? trimmed(`${each}`) : []));
}

/** What `read` makes of the first of a header's values that it can use. */
export function firstUsable<T>(
  headers: HeaderSource,
  name: string,
  read: (text: string) => T | undefined,
): T | undefined {
  for (const text of textsOf(headers, name)) {
    const found = read(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The text without the spaces and tabs around it. `trim` would take more than a header may have there. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (isSpace(text[start])) start++;
  while (isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
