import { readField } from "../common/inspect.js";
import { type Body, bodyOf } from "../http/bodies/body.js";

/** What axios has made of a request's data: to be sent, if possible, more than once. */
export interface Data {
  readonly body: Body;
  /** What an adapter asks a form for, which is not there any more. */
  readonly contentType: string | undefined;
}

export function dataOf(data: unknown): Data {
  const form = asBytes(data);
  const bytes = form?.bytes ?? data;
  return { body: bytes instanceof Uint8Array ? copyOf(bytes) : bodyOf(bytes ?? ""), contentType: form?.contentType };
}

/** Of the class that it was: an adapter may tell by it. */
function copyOf(bytes: Uint8Array): Body {
  const copy = Uint8Array.prototype.slice.call(bytes);
  return { replayable: true, next: () => copy };
}

interface FormStream {
  getBuffer(): Uint8Array;
  getHeaders(): Record<string, string>;
}

/** What axios makes of an object in Node: a form that is a stream, but has all its parts at hand unless one is a stream. */
function asBytes(form: unknown): { readonly bytes: Uint8Array; readonly contentType: string | undefined } | undefined {
  if (typeof readField(form, "getBuffer") !== "function") return undefined;
  const stream = form as FormStream;
  try {
    return { bytes: stream.getBuffer(), contentType: stream.getHeaders()["content-type"] };
  } catch {
    return undefined;
  }
}
