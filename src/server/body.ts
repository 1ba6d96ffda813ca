/** The bytes of a stream, as long as they are no more than `max`; else what was read, and the reader that has the rest. */
export async function readUpTo(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
): Promise<{ readonly bytes: Uint8Array; readonly rest: ReadableStreamDefaultReader<Uint8Array> | undefined }> {
  if (!stream) return { bytes: new Uint8Array(), rest: undefined };
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: joined(chunks, size), rest: undefined };
    chunks.push(value);
    size += value.byteLength;
    if (size > max) return { bytes: joined(chunks, size), rest: reader };
  }
}

/** A stream of what was read and of the rest. */
export function resumed(bytes: Uint8Array, rest: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  let begun = false;
  return new ReadableStream({
    async pull(controller) {
      if (!begun) {
        begun = true;
        return controller.enqueue(bytes);
      }
      const { done, value } = await rest.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => rest.cancel(reason),
  });
}

export function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
