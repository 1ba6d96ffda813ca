import { readField } from "../common/inspect.js";

// A queue's job has no place for what others know of it but its data: a memo travels there, and what is processed does not see it.

const MEMO = "~retry";
const DATA = "~data";

/**
 * The data of the job named `of` without the memo, and the memo, if it is this job's: what is copied to another one, as a dead letter is,
 * begins anew.
 */
export function takeMemo(data: unknown, of: string | undefined): { readonly data: unknown; readonly memo: unknown } {
  if (!isObject(data) || !Object.hasOwn(data, MEMO)) return { data, memo: undefined };
  const { [MEMO]: memo, ...rest } = data;
  const isOurs = readField(memo, "of") === of;
  return { data: Object.hasOwn(rest, DATA) ? rest[DATA] : rest, memo: isOurs ? memo : undefined };
}

/** The data of the job named `of` with the memo. */
export function withMemo(data: unknown, memo: object, of: string | undefined): object {
  const ours = { ...memo, of };
  return isObject(data) ? { ...data, [MEMO]: ours } : { [DATA]: data ?? null, [MEMO]: ours };
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
