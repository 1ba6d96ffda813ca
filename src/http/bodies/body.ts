// What is sent again must be what was sent first. fetch takes a copy of a body when it is called; so that a later attempt
// sends the same, the copy is taken here, and what can be read only once is never sent twice.

import { readField } from "../../common/inspect.js";

/** A body that can be sent again and again. */
export interface Replayable {
  readonly replayable: true;
  /** A function makes it. */
  readonly isMade?: true;
  /** What to send in the next attempt; `changeable`: somebody may change it before. */
  next(changeable?: boolean): unknown;
}

/** A body that can be read only once, as a stream. */
export interface OneShot {
  readonly replayable: false;
  readonly isMade?: undefined;
  next(changeable?: boolean): unknown;
}

export type Body = Replayable | OneShot;

/** What `init.body` says is to be sent; a function makes it anew for each attempt. */
export function bodyOf(given: unknown): Body {
  if (typeof given === "function") return { replayable: true, isMade: true, next: () => given() };
  const copy = copyOf(given);
  if (copy !== undefined) return { replayable: true, next: (changeable) => (changeable ? copyOf(copy) : copy) };
  return { replayable: false, next: () => given };
}

/** Whether a body is sent piece by piece: Node wants to be told. */
export function isStreamed(body: unknown): boolean {
  if (typeof body !== "object" || body === null || isBytes(body)) return false;
  return isPiped(body) || !IN_ONE_PIECE.includes(tagOf(body));
}

function isPiped(body: unknown): boolean {
  return typeof readField(body, "pipe") === "function";
}

const IN_ONE_PIECE: readonly unknown[] = ["Blob", "File", "FormData", "URLSearchParams"];

/** The body as it is now; `undefined` where it can be read only once, or where nobody knows. */
function copyOf(body: unknown): unknown {
  if (typeof body === "string") return body;
  if (isBytes(body)) return copyBytes(body);
  // Some forms for Node are streams that call themselves FormData.
  if (isPiped(body)) return undefined;
  switch (tagOf(body)) {
    case "Blob":
    case "File":
      return body;
    case "URLSearchParams":
      return new (constructorOf(body))(body);
    case "FormData":
      return copyForm(body as FormData);
    default:
      return undefined;
  }
}

function isBytes(body: unknown): body is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(body) || tagOf(body) === "ArrayBuffer" || tagOf(body) === "SharedArrayBuffer";
}

// An ArrayBuffer is what every client takes.
function copyBytes(body: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  const bytes = ArrayBuffer.isView(body)
    ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
    : new Uint8Array(body);
  return Uint8Array.from(bytes).buffer;
}

/** Of the same class: a client takes no other's for a form. */
function copyForm(form: FormData): FormData {
  const copy: FormData = new (constructorOf(form))();
  for (const [name, value] of form) copy.append(name, value as string);
  return copy;
}

function constructorOf(body: unknown): new (...args: any[]) => any {
  return (body as object).constructor as new () => any;
}

function tagOf(body: unknown): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, Symbol.toStringTag) : undefined;
}
