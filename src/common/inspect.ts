// What is thrown can be anything: nothing here throws, whatever it is.

/** An error's `code`, or `undefined`. Every failure is asked for it, and a literal name is the quickest to read. */
export function codeOf(error: unknown): unknown {
  try {
    return (error as { code?: unknown } | null | undefined)?.code;
  } catch {
    return undefined;
  }
}

/** An error's `name`, in the same way. */
export function nameOf(error: unknown): unknown {
  try {
    return (error as { name?: unknown } | null | undefined)?.name;
  } catch {
    return undefined;
  }
}

/** An error's property, or `undefined` where there is none or reading it throws. */
export function readField(error: unknown, key: PropertyKey): unknown {
  try {
    return (error as Record<PropertyKey, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/** One line about anything thrown, of bounded length: there is no telling what a message holds. */
export function describe(error: unknown): string {
  try {
    return bounded(String(error));
  } catch {
    return "something that cannot be shown";
  }
}

/** The beginning of a text that a message quotes. */
export function bounded(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/**
 * The errors of an `AggregateError`, if it has any. Told by its name: errors of other classes may keep something else in
 * an `errors` field, as Google's API clients do.
 */
export function errorsOf(error: unknown): readonly unknown[] | undefined {
  const errors = readField(error, "errors");
  if (errors === undefined || readField(error, "name") !== "AggregateError") return undefined;
  try {
    const all = [...(errors as unknown[])];
    return all.length > 0 ? all : undefined;
  } catch {
    return undefined;
  }
}

/** An error and its causes, outermost first, to depth 10: a cycle ends there too. */
export function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let each = error; each !== undefined && each !== null && chain.length <= 10; each = readField(each, "cause")) {
    chain.push(each);
  }
  return chain;
}
