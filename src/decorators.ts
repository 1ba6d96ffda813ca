import type { RetryOptions, SyncRetryOptions } from "./attempt.js";
import { ASYNC, type PolicySource, SYNC, sourceOf } from "./policy.js";
import { wrap } from "./retry.js";
import { type RefusePromise, syncTargetOf, wrapSync } from "./retry-sync.js";
import { dressAs, type Target, targetOf } from "./target.js";

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
  return decorator("@Retry", sourceOf(ASYNC, options), targetOf, wrap) as RetryDecorator<T>;
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
  return decorator("@RetrySync", sourceOf(SYNC, options), syncTargetOf, wrapSync) as RetrySyncDecorator<T>;
}

/** A decorator without its parentheses is called with the method and more. */
function refuseBare(owner: string, others: readonly unknown[]): void {
  if (others.length > 0) throw new TypeError(`${owner} needs its parentheses: write ${owner}()`);
}

type Key = string | symbol;
type Context = { readonly kind: string; readonly name: Key };

function decorator(
  owner: string,
  source: PolicySource,
  makeTarget: (owner: string, fn: unknown, name: string) => Target,
  makeWrapped: (target: Target, source: PolicySource) => object,
) {
  const replace = (method: unknown, name: Key): object => {
    const wrapped = makeWrapped(makeTarget(owner, method, String(name)), source);
    dressAs(method as object, wrapped);
    copyMetadata(method as object, wrapped);
    return wrapped;
  };
  return (target: unknown, key: unknown, descriptor?: PropertyDescriptor | number) => {
    if (isContext(key)) {
      if (key.kind !== "method") refuse(owner, key.name, key.kind);
      return replace(target, key.name);
    }
    if (typeof descriptor === "object" && typeof descriptor.value === "function") {
      return { ...descriptor, value: replace(descriptor.value, key as Key) };
    }
    const hasAccess = typeof descriptor === "object" && (descriptor.get || descriptor.set);
    const member = hasAccess ? "getter or setter" : "field";
    return refuse(owner, key as Key | undefined, typeof descriptor === "number" ? "parameter" : member);
  };
}

function isContext(key: unknown): key is Context {
  return typeof key === "object" && key !== null && "kind" in key;
}

function refuse(owner: string, name: Key | undefined, kind: string): never {
  const article = /^[aeiou]/.test(kind) ? "an" : "a";
  const what = name === undefined ? "this is a class or a constructor" : `${String(name)} is ${article} ${kind}`;
  const wrapper = owner === "@Retry" ? "retry" : "retrySync";
  throw new TypeError(
    `${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${wrapper}()`,
  );
}

// Frameworks keep metadata on the method itself (`reflect-metadata`), and look for it on what stands in its place.
function copyMetadata(from: object, to: object): void {
  const { getOwnMetadataKeys, getOwnMetadata, defineMetadata } = Reflect as unknown as {
    getOwnMetadataKeys?(target: object): unknown[];
    getOwnMetadata(key: unknown, target: object): unknown;
    defineMetadata(key: unknown, value: unknown, target: object): void;
  };
  for (const key of getOwnMetadataKeys?.(from) ?? []) defineMetadata(key, getOwnMetadata(key, from), to);
}
