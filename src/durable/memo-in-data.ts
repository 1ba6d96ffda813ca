// A queue's job has no place for what others know of it but its data: a memo travels there, and what is processed does not see it.

const MEMO = "~retry";
const DATA = "~data";

/** A job's data without the memo, and the memo. */
export function takeMemo(data: unknown): { readonly data: unknown; readonly memo: unknown } {
  if (!isObject(data) || !Object.hasOwn(data, MEMO)) return { data, memo: undefined };
  const { [MEMO]: memo, ...rest } = data;
  return { data: Object.hasOwn(rest, DATA) ? rest[DATA] : rest, memo };
}

/** A job's data with the memo. */
export function withMemo(data: unknown, memo: object): object {
  return isObject(data) ? { ...data, [MEMO]: memo } : { [DATA]: data ?? null, [MEMO]: memo };
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
