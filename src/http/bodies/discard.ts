import type { Clock } from "../../common/clock.js";

// A connection can be used again only when its response was read to the end; reading a long one costs more than a new
// connection does.
export const MOST_BYTES = 65_536;
export const MOST_MS = 100;

/** A response that nobody wants is read to its end, if that is near, or else cancelled. */
export interface Discarding {
  readonly done: Promise<void>;
  /** Gives up on the connection at once. */
  cancel(): void;
}

/** A body that comes piece by piece: of the web, or of Node. */
export type Streamed = ReadableStream<Uint8Array> | (AsyncIterable<Uint8Array> & { destroy(): unknown });

/**
 * Drains what is left of a body; `length` is what its `Content-Length` says. Where somebody else reads it, it is theirs.
 * `undefined` where there is nothing to wait for.
 */
export function discard(body: Streamed | null | undefined, length: unknown, clock: Clock): Discarding | undefined {
  if (!body || isTaken(body)) return undefined;
  if (Number(length) > MOST_BYTES) {
    release(body);
    return undefined;
  }
  const { next, cancel } = "getReader" in body ? readingOf(body) : iteratingOver(body);
  const stopTimer = clock.setTimer(cancel, MOST_MS, true);
  const done = readAll(next, cancel).then(stopTimer, stopTimer);
  return { done, cancel };
}

/** Cancels what is left of a body. */
export function release(body: Streamed | null | undefined): void {
  if (!body || isTaken(body)) return;
  try {
    if ("getReader" in body) Promise.resolve(body.cancel()).catch(() => {});
    else body.destroy();
  } catch {
    // A stand-in's. What is to happen beside it happens.
  }
}

function isTaken(body: Streamed): boolean {
  return "getReader" in body && body.locked;
}

interface Reading {
  next(): Promise<{ readonly done?: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): void;
}

function readingOf(body: ReadableStream<Uint8Array>): Reading {
  const reader = body.getReader();
  const cancel = () => {
    reader.cancel().catch(() => {});
  };
  return { next: () => reader.read(), cancel };
}

function iteratingOver(body: Exclude<Streamed, ReadableStream>): Reading {
  const iterator = body[Symbol.asyncIterator]();
  return { next: () => iterator.next(), cancel: () => body.destroy() };
}

async function readAll(next: Reading["next"], cancel: () => void): Promise<void> {
  for (let bytes = 0; bytes <= MOST_BYTES; ) {
    const { done, value } = await next();
    if (done) return;
    bytes += value!.byteLength;
  }
  cancel();
}
