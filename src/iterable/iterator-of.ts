import { misuse } from "../common/brand.js";
import { show } from "../common/validate.js";

type Iterable = {
  [Symbol.asyncIterator]?(): AsyncIterator<unknown>;
  [Symbol.iterator]?(): Iterator<unknown>;
  getReader?(): Reader;
};

/** As a web stream's. */
interface Reader {
  read(): Promise<IteratorResult<unknown>>;
  cancel(): Promise<void>;
  releaseLock(): void;
}

/** The iterator of what `open` returned: of an async iterable, an iterable, or a web stream that is neither. */
export function iteratorOf(source: unknown): AsyncIterator<unknown> {
  const iterable = (typeof source === "object" && source !== null ? source : {}) as Iterable;
  if (typeof iterable[Symbol.asyncIterator] === "function") return iterable[Symbol.asyncIterator]!();
  if (typeof iterable[Symbol.iterator] === "function")
    return itemsOf(iterable as { [Symbol.iterator](): Iterator<unknown> });
  if (typeof iterable.getReader === "function") return chunksOf(iterable.getReader());
  throw misuse(new TypeError(`open must return an async iterable, or a promise of one, got ${show(source)}`));
}

async function* itemsOf(source: { [Symbol.iterator](): Iterator<unknown> }) {
  yield* source;
}

// Safari's streams, and those of older browsers, cannot be iterated.
function chunksOf(reader: Reader): AsyncIterator<unknown> {
  return {
    next: () => reader.read(),
    async return() {
      await reader.cancel();
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}
