import type { RetryOptions, SyncRetryOptions } from "./common/attempt.js";
import { copyProperties } from "./common/copy-properties.js";
import { decorate } from "./common/decorate.js";
import type { RefusePromise } from "./common/sync-only.js";
import { ASYNC, type PolicySource, SYNC, sourceOf } from "./loop/policy.js";
import { type Target, targetOf } from "./loop/target.js";
import { wrap } from "./retry.js";
import { syncTargetOf, wrapSync } from "./retry-sync.js";

/** A decorator of methods that return a promise, TC39 standard and legacy. */
export interface RetryDecorator<T> {
  // No decorator is called like this: it is where `T` is inferred from, so that an inline `retryIfResult((job) => …)`
  // knows what the method gives.
  (
    method: (...args: any) => Promise<T>,
    key: unknown,
    descriptor: TypedPropertyDescriptor<(...args: any) => Promise<T>>,
    never: never,
  ): any;
  <M extends (this: any, ...args: any) => Promise<T>>(
    method: M,
    context: ClassMethodDecoratorContext<ThisParameterType<M>, M>,
  ): M;
  <M extends (this: any, ...args: any) => Promise<T>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): TypedPropertyDescriptor<M>;
}

/** A decorator of sync methods, TC39 standard and legacy. */
export interface RetrySyncDecorator<T> {
  // As above.
  (
    method: (...args: any) => T,
    key: unknown,
    descriptor: TypedPropertyDescriptor<(...args: any) => T>,
    never: never,
  ): any;
  <M extends (this: any, ...args: any) => T>(
    method: M & RefusePromise<ReturnType<M>>,
    context: ClassMethodDecoratorContext<ThisParameterType<M>, M>,
  ): M;
  <M extends (this: any, ...args: any) => T>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & RefusePromise<ReturnType<M>>,
  ): TypedPropertyDescriptor<M>;
}

/**
 * Retries a method that returns a promise: instance or static, under TC39 standard decorators and
 * `experimentalDecorators` alike, and private (`#m`) under the standard. A sync method is a compile error; a generator
 * method, a field, an accessor or a getter is a `TypeError` when the class is defined.
 *
 * @example
 * class Users {
 *   @ Retry({ wait: waitNone })
 *   async load(id: string) {
 *     return { id, attempt: currentAttempt().attempt };
 *   }
 * }
 * await new Users().load("42"); // => { id: "42", attempt: 1 }
 */
export function Retry<T = any>(
  options?: RetryOptions<T> | ((this: any, ...args: any) => RetryOptions<T>),
  ...others: never[]
): RetryDecorator<T> {
  refuseBare("@Retry", others);
  return decorator("@Retry", "retry", sourceOf(ASYNC, options), targetOf, wrap) as RetryDecorator<T>;
}

/**
 * Retries a sync method. **The whole thread sleeps between attempts.** An async method is a compile error and a
 * `TypeError`, and so is whatever `Retry` refuses.
 *
 * @example
 * class Config {
 *   @ RetrySync({ wait: waitNone })
 *   read() {
 *     return currentAttempt().attempt;
 *   }
 * }
 * new Config().read(); // => 1
 */
export function RetrySync<T = any>(
  options?: SyncRetryOptions<T> | ((this: any, ...args: any) => SyncRetryOptions<T>),
  ...others: never[]
): RetrySyncDecorator<T> {
  refuseBare("@RetrySync", others);
  return decorator("@RetrySync", "retrySync", sourceOf(SYNC, options), syncTargetOf, wrapSync) as RetrySyncDecorator<T>;
}

/** A decorator without its parentheses is called with the method and more. */
function refuseBare(owner: string, others: readonly unknown[]): void {
  if (others.length > 0) throw new TypeError(`${owner} needs its parentheses: write ${owner}()`);
}

function decorator(
  owner: string,
  wrapper: string,
  source: PolicySource,
  makeTarget: (owner: string, fn: unknown, name: string) => Target,
  makeWrapped: (target: Target, source: PolicySource) => object,
) {
  return decorate(owner, wrapper, (method, name) => {
    const wrapped = makeWrapped(makeTarget(owner, method, name), source);
    copyProperties(method, wrapped);
    return wrapped;
  });
}
