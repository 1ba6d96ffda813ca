import { describe } from "../common/inspect.js";
import { type PlainError, reviveError, toPlainError } from "../common/plain-error.js";
import { tagged, untagged } from "./tagged-json.js";

/** How results become text and come back, where JSON is not enough. */
export interface Codec {
  readonly serialize: (value: any) => string;
  readonly deserialize: (text: string) => any;
}

/** What stands on record under a key. `at` is when it was written, in epoch ms. */
export type Entry =
  /** The call returned `value`. */
  | { readonly state: "done"; readonly at: number; readonly value: unknown }
  /** The call failed for good. */
  | { readonly state: "failed"; readonly at: number; readonly error: Error }
  /** The call returned a value that cannot be kept. */
  | { readonly state: "unrecorded"; readonly at: number; readonly why: string }
  /** Nobody knows whether the call's effect has happened; `error` is what it failed with. */
  | { readonly state: "undecided"; readonly at: number; readonly error: Error | undefined };

/** A record's text, and where a result cannot be kept, why. */
interface Written {
  readonly text: string;
  readonly refused: string | undefined;
}

/** The record of a result, or of why there can be none. Never throws. */
export function recordOfValue(value: unknown, codec: Codec | undefined): Written {
  const kept = codec ? serialized(value, codec) : tagged(value);
  if ("refused" in kept) return { text: written({ refused: kept.refused }), refused: kept.refused };
  return { text: written("text" in kept ? { text: kept.text } : { value: kept.plain }), refused: undefined };
}

function serialized(value: unknown, { serialize }: Codec): { readonly text: string } | { readonly refused: string } {
  try {
    const text = serialize(value);
    return typeof text === "string"
      ? { text }
      : { refused: `serialize must return a string; it returned a ${typeof text}` };
  } catch (error) {
    return { refused: `serialize failed: ${describe(error)}` };
  }
}

/** The record of a failure that later calls are to meet again. */
export function recordOfFailure(error: unknown): string {
  return written({ failed: toPlainError(error) });
}

/** The record of a call of which nobody knows whether its effect has happened. `token` makes it unlike any other. */
export function recordOfDoubt(token: string, error: unknown): string {
  return written({ undecided: { token, error: toPlainError(error) } });
}

function written(content: object): string {
  return JSON.stringify({ ...content, at: Date.now() });
}

/** What stands in a record. Throws where it is none, or one that cannot be read. */
export function readRecord(text: string, codec: Codec | undefined): Entry {
  const content = JSON.parse(text) as {
    readonly at?: number;
    readonly value?: unknown;
    readonly text?: string;
    readonly refused?: string;
    readonly failed?: PlainError;
    readonly undecided?: { readonly error?: PlainError };
  };
  const { at = 0, undecided, failed, refused } = content;
  if (undecided) return { state: "undecided", at, error: undecided.error && reviveError(undecided.error) };
  if (failed) return { state: "failed", at, error: reviveError(failed) };
  if (refused !== undefined) return { state: "unrecorded", at, why: refused };
  if (content.text === undefined) return { state: "done", at, value: untagged(content.value) };
  if (!codec) throw new TypeError("it was written by a serialize, and there is no deserialize to read it");
  return { state: "done", at, value: codec.deserialize(content.text) };
}
