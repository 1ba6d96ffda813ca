import type { RetryStats } from "../common/attempt.js";
import { NO_ARGS } from "../common/callable.js";
import { copyProperties } from "../common/copy-properties.js";
import { decorate } from "../common/decorate.js";
import { check, FUNCTION } from "../common/validate.js";
import { overlay, type PolicySource, sourceOf } from "../loop/policy.js";
import { Stats } from "../loop/stats.js";
import { addWithAndStats, ownName } from "../loop/target.js";
import type { Opening } from "./opening.js";
import { policyOf, type RetryIterableOptions, STREAM } from "./options.js";
import type { Open } from "./source.js";
import { Stream } from "./stream.js";

/** What can be read from: an async iterable, an iterable, or a web stream. */
export type Readable<T> =
  | AsyncIterable<T>
  | Iterable<T>
  | { getReader(): { read(): Promise<{ value?: T | undefined }> } };

/** A stream that is opened again where it broke, for one consumer. */
export type RetriedIterable<T> = AsyncGenerator<T, any, undefined> & {
  /** `calls` are streams, `attempts` openings; `idle` is ms slept. */
  readonly stats: RetryStats;
};

/**
 * Returns an async iterable of the items of what `open` returns. Where that fails, the policy decides, sleeps, and `open`
 * is called again, with the last item that got through. Delivery is **at least once** unless `open` goes on after `last`.
 * Nothing is opened, and no item is read, before the consumer asks for one. Throws a `TypeError` or `RangeError` at once
 * for an option that makes no sense.
 *
 * @example
 * const numbers = retryIterable(async function* ({ last = 0 }: Opening<number>) {
 *   yield last + 1;
 *   if (last < 2) throw new Error("cut");
 * }, { wait: waitNone });
 * const seen: number[] = [];
 * for await (const n of numbers) seen.push(n);
 * seen; // => [1, 2, 3]
 */
export function retryIterable<T>(
  open: (opening: Opening<T>) => Readable<T> | PromiseLike<Readable<T>>,
  options?: RetryIterableOptions<NoInfer<T>>,
): RetriedIterable<T> {
  check("retryIterable", "open", open, FUNCTION);
  const policy = policyOf(sourceOf(STREAM, checked(options)), undefined, []);
  const name = policy.name ?? ownName(open);
  return new Stream<T>({
    open: open as Open<T>,
    name,
    policy,
    args: NO_ARGS,
    stats: new Stats(),
  }) as unknown as RetriedIterable<T>;
}

function checked<O extends object | undefined>(options: O): O {
  if (typeof options === "function") throw new TypeError("retryIterable: options must be an object, got a function");
  return options;
}

/** A decorator of methods that return an async iterable, TC39 standard and legacy. */
export interface RetryIterableDecorator {
  <M extends (this: any, ...args: any) => AsyncIterable<any> | PromiseLike<AsyncIterable<any>>>(
    method: M,
    context: ClassMethodDecoratorContext<ThisParameterType<M>, M>,
  ): M;
  <M extends (this: any, ...args: any) => AsyncIterable<any>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): TypedPropertyDescriptor<M>;
}

/**
 * Retries a method that returns an async iterable, such as an async generator method: as `retryIterable`, with the call's
 * `this` and arguments at each opening. `currentOpening()` says inside it where to go on. Its `stats` count all calls.
 *
 * @example
 * class Feed {
 *   @ RetryIterable({ wait: waitNone })
 *   async *items() {
 *     const { count } = currentOpening();
 *     yield count;
 *     if (count === 0) throw new Error("cut");
 *   }
 * }
 * const seen: number[] = [];
 * for await (const item of new Feed().items()) seen.push(item);
 * seen; // => [0, 1]
 */
export function RetryIterable(
  options?: RetryIterableOptions | ((this: any, ...args: any) => RetryIterableOptions),
  ...others: never[]
): RetryIterableDecorator {
  if (others.length > 0) throw new TypeError("@RetryIterable needs its parentheses: write @RetryIterable()");
  const source = sourceOf(STREAM, options);
  return decorate("@RetryIterable", "retryIterable", (method, name) => {
    const wrapped = streamsOf(method as (...args: unknown[]) => unknown, name, new Stats(), source);
    copyProperties(method, wrapped);
    return wrapped;
  }) as RetryIterableDecorator;
}

/** A function that makes a stream of each call. */
function streamsOf(method: (...args: unknown[]) => unknown, name: string, stats: Stats, source: PolicySource): object {
  const streamed = function (this: unknown, ...args: unknown[]) {
    const policy = policyOf(source, this, args);
    const open = () => method.apply(this, args);
    return new Stream({ open, name: policy.name ?? name, policy, args, stats });
  };
  return addWithAndStats(streamed, stats, (overrides) =>
    streamsOf(method, name, stats, overlay(STREAM, source, overrides)),
  );
}
