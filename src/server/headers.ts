import { readField } from "../common/inspect.js";
import { type HeaderSource, textsOf } from "../hints/header-values.js";

/** A request, or anything that has its headers: a `Request`, Node's `IncomingMessage`, a `Headers`. */
export type RequestLike = { readonly headers: object } | HeaderSource;

/** A header's values, as any kind of request has them; of names, Node's has the lower-case ones. */
export function headersOf(request: unknown, name: string): string[] {
  const headers = readField(request, "headers") ?? request;
  const source = typeof readField(headers, "get") === "function" ? (headers as HeaderSource) : fromRecord(headers);
  try {
    return textsOf(source, name);
  } catch {
    return [];
  }
}

function fromRecord(headers: unknown): HeaderSource {
  return { get: (name) => readField(headers, name) };
}
