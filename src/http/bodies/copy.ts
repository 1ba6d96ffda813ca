// A body is looked at on a copy, so that the caller can still read it. Reading a copy to its end also takes the body off the
// wire: what was read waits in the response itself. A copy that nobody waits for any more must be let go with it.

import type { HeaderSource } from "../../hints/server-delay.js";

const copies = /* @__PURE__ */ new WeakMap<object, Set<() => void>>();

/** A response whose body can be copied. */
export interface Copyable {
  readonly body?: ReadableStream<Uint8Array> | null;
  clone(): { readonly body: ReadableStream<Uint8Array> | null };
}

/** Whether it is one: a stand-in for a response may have none of this. */
export function isCopyable(response: object): response is Copyable {
  const { clone, bodyUsed, body } = response as Partial<Response>;
  return typeof clone === "function" && !bodyUsed && !!body;
}

/** Whether a body may be copied as a whole: it is not known to be longer than `maxBytes`, and has an end. */
export function isBounded(headers: HeaderSource, maxBytes: number): boolean {
  if (Number(headers.get("content-length")) > maxBytes) return false;
  return !`${headers.get("content-type")}`.toLowerCase().startsWith("text/event-stream");
}

/**
 * Reads a copy of a body, handing on each piece, until there are more than `maxBytes`; returns whether it was read to the
 * end. Rejects as reading does.
 */
export async function readCopy(
  response: Copyable,
  maxBytes: number,
  take?: (bytes: Uint8Array) => void,
): Promise<boolean> {
  const { body } = response.clone();
  if (!body) return true;
  const reader = body.getReader();
  let cancelled = false;
  const cancel = () => {
    cancelled = true;
    reader.cancel().catch(() => {});
  };
  const forget = keepCopy(response, cancel);
  try {
    for (let left = maxBytes; ; ) {
      const { done, value } = await reader.read();
      if (done) return !cancelled;
      left -= value.byteLength;
      if (left < 0) {
        cancel();
        return false;
      }
      take?.(value);
    }
  } finally {
    forget();
  }
}

/** A copy of a response whose body ends after `maxBytes`, read as far as somebody reads it; and what lets go of it. */
export function boundedCopy<R extends object>(response: R, maxBytes: number): { readonly copy: R; end(): void } {
  if (!isCopyable(response)) return { copy: response, end() {} };
  const { body } = response.clone();
  const reader = body!.getReader();
  const end = () => {
    forget();
    reader.cancel().catch(() => {});
  };
  const forget = keepCopy(response, end);
  let left = maxBytes;
  const limited = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done || left <= 0) return controller.close();
        controller.enqueue(value.subarray(0, left));
        left -= value.byteLength;
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  const { status, statusText, headers, url, constructor: Made } = response as unknown as Response;
  const copy = new (Made as typeof Response)(limited, { status, statusText, headers });
  Object.defineProperty(copy, "url", { value: url });
  return { copy: copy as unknown as R, end };
}

/** Remembers how to let go of a copy; returns what forgets it again. */
function keepCopy(response: object, cancel: () => void): () => void {
  const running = copies.get(response) ?? new Set();
  copies.set(response, running.add(cancel));
  return () => running.delete(cancel);
}

/** Lets go of the copies of a body that are being read. */
export function cancelCopies(response: object): void {
  for (const cancel of copies.get(response) ?? []) cancel();
}
