import { misuse } from "../common/brand.js";
import { promiseOf } from "../common/thenable.js";
import { show } from "../common/validate.js";
import { iteratorOf } from "./iterator-of.js";
import { type Opening, OpeningContext, within } from "./opening.js";
import type { StreamGuard, StreamPolicy } from "./options.js";

/** Opens a source. */
export type Open<T = any> = (opening: Opening<T>) => unknown;

/** How a source's life ended, for the guards that it is held under. */
interface Life {
  end(): void;
  fail(error: unknown): void;
}

/** What is read from, from its opening until it ends, fails or is closed. */
export class Source<T> {
  readonly opening: OpeningContext<T>;
  #iterator: AsyncIterator<T> | undefined = undefined;
  #opened: Promise<unknown> | undefined = undefined;
  #life: Life | undefined = undefined;
  #begun = false;
  #reading = false;
  #isOver = false;

  constructor(attempt: number, last: T | undefined, count: number) {
    this.opening = new OpeningContext(attempt, last, count);
  }

  /** Nothing is read from it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  open(open: Open<T>, guards: readonly StreamGuard[]): Promise<void> {
    const begin = () => {
      this.#begun = true;
      return within(this.opening, () => open(this.opening));
    };
    const opened = guards.length > 0 ? this.#underGuards(begin, guards) : new Promise((resolve) => resolve(begin()));
    this.#opened = opened.then((iterable) => {
      this.#iterator = iteratorOf(iterable) as AsyncIterator<T>;
    });
    return this.#opened.catch((error) => this.#failed(error)) as Promise<void>;
  }

  /** Opens inside a task of the guards that lasts as long as the source does. */
  #underGuards(begin: () => unknown, guards: readonly StreamGuard[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const task = (): Promise<void> => {
        const life = new Promise<void>((end, fail) => {
          this.#life = { end, fail };
        });
        if (this.#isOver) {
          // Nobody waits for it any more: its turn came too late.
          this.#life!.end();
          reject();
        } else resolve(new Promise((opened) => opened(begin())));
        return life;
      };
      const run = guards.reduceRight<() => Promise<unknown>>(
        (inner, guard) => () => guard.run(inner as () => Promise<void>),
        task,
      );
      run().then(undefined, reject);
    });
  }

  /** The next item, or the end. */
  next(): Promise<IteratorResult<T>> {
    this.#reading = true;
    return promiseOf(within(this.opening, () => this.#iterator!.next())).then(
      (result) => {
        this.#reading = false;
        if (typeof result !== "object" || result === null) {
          return this.#failed(misuse(new TypeError(`a source's next() must return an object, got ${show(result)}`)));
        }
        if (result.done) this.#ended();
        return result;
      },
      (error) => this.#failed(error),
    );
  }

  /** What an iterator has thrown, or ended with, it needs no `return` for. */
  #ended(): void {
    this.#isOver = true;
    this.#life?.end();
  }

  #failed(error: unknown): never {
    this.#isOver = true;
    this.#life?.fail(error);
    OpeningContext.end(this.opening, error);
    throw error;
  }

  /** Nobody waits for what it is asked for: its signal aborts at once. `timedOut`: it took too long. */
  abandon(reason: unknown, timedOut: boolean): void {
    if (timedOut) this.#life?.fail(reason);
    OpeningContext.end(this.opening, reason);
  }

  /**
   * Closes the source, unless it is over. A read in progress, or the opening, ends by its signal; a source that rests is
   * asked to `return` first, so that what it reads from does not break under its hands. Returns a promise where there is
   * something to wait for, no longer than `closeTimeout`: it rejects with what the source's `return` does.
   */
  close(reason: unknown, policy: StreamPolicy): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    const release = () => {
      this.#life?.end();
      OpeningContext.end(this.opening, reason);
    };
    if (this.#reading || !this.#iterator) OpeningContext.end(this.opening, reason);
    const closing = this.#return();
    if (closing) return bounded(closing, policy).finally(release);
    release();
    return undefined;
  }

  #return(): Promise<unknown> | undefined {
    if (this.#iterator) return returned(this.#iterator);
    // One that is still being opened is closed when it is there.
    if (!this.#begun) return undefined;
    return this.#opened!.then(
      () => returned(this.#iterator!),
      () => {},
    );
  }
}

function returned(iterator: AsyncIterator<unknown>): Promise<unknown> | undefined {
  try {
    const closing = iterator.return?.();
    return closing && promiseOf(closing);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** `promise`, waited for `closeTimeout` ms at most. */
function bounded(promise: Promise<unknown>, { closeTimeout, clock, unref }: StreamPolicy): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = closeTimeout < Infinity ? clock.setTimer(resolve, closeTimeout, unref) : () => {};
    promise.then(() => resolve(), reject).then(cancel);
  });
}
