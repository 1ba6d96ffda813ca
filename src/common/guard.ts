import type { AnyFn, Plain, Promised, RetryStats } from "./attempt.js";
import { checkCallable } from "./callable.js";
import { copyProperties } from "./copy-properties.js";
import { decorate, isContext } from "./decorate.js";
import type { RefusePromise } from "./sync-only.js";

/** Wraps a function, or decorates a method that returns a promise: TC39 standard and legacy. Works detached. */
export interface GuardWrap {
  <M extends (this: any, ...args: any) => Promise<any>>(
    method: M,
    context: ClassMethodDecoratorContext<ThisParameterType<M>, M>,
  ): M;
  <M extends (this: any, ...args: any) => Promise<any>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): TypedPropertyDescriptor<M>;
  // A decorator gets more than one argument, and so does what is handed to `map`.
  <F extends AnyFn>(fn: F, ...others: never[]): Guarded<F>;
  <F extends AnyFn>(fn: F, index: number, all: readonly unknown[]): Guarded<F>;
}

/** Wraps a sync function, or decorates a sync method: TC39 standard and legacy. Works detached. */
export interface GuardWrapSync {
  <M extends (this: any, ...args: any) => any>(
    method: M & RefusePromise<ReturnType<M>>,
    context: ClassMethodDecoratorContext<ThisParameterType<M>, M>,
  ): M;
  <M extends (this: any, ...args: any) => any>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & RefusePromise<ReturnType<M>>,
  ): TypedPropertyDescriptor<M>;
  <F extends AnyFn>(fn: F & RefusePromise<ReturnType<F>>, ...others: never[]): Bare<F>;
  <F extends AnyFn>(fn: F & RefusePromise<ReturnType<F>>, index: number, all: readonly unknown[]): Bare<F>;
}

/** A guard around a retry has not its `with` and `stats`. */
type Guarded<F extends AnyFn> = F extends Equipped ? Plain<F> : Promised<F>;
type Bare<F extends AnyFn> = F extends Equipped
  ? (this: ThisParameterType<F>, ...args: Parameters<F>) => ReturnType<F>
  : F;
type Equipped = { with(overrides: any): unknown; readonly stats: RetryStats };

/** Makes a guard's `wrap` or `wrapSync`: `guarded` makes the function that stands in another's place. */
export function guardWrap(owner: string, guarded: (fn: AnyFn) => AnyFn): (target: any, ...others: any[]) => any {
  const replace = (fn: unknown) => {
    checkCallable(owner, fn);
    const wrapped = guarded(fn);
    copyProperties(fn, wrapped);
    return wrapped;
  };
  const decorator = decorate(`@${owner}`, owner, replace);
  return (target: unknown, key?: unknown, descriptor?: unknown) => {
    if (target === undefined && key === undefined) {
      throw new TypeError(`${owner}: fn must be a function, got none: as a decorator, wrap has no parentheses`);
    }
    // A number is what `map` adds: a decorator gets a context, or a name.
    return isContext(key) || typeof key === "string" || typeof key === "symbol" || typeof descriptor === "number"
      ? decorator(target, key, descriptor)
      : replace(target);
  };
}

/** Makes a guard's `run`: `call` calls a block under guard. */
export function guardRun(owner: string, call: (task: () => unknown, options: unknown) => Promise<unknown>) {
  return <T>(task: () => T, options?: unknown): Promise<Awaited<T>> => {
    try {
      checkCallable(owner, task);
      return call(task, options) as Promise<Awaited<T>>;
    } catch (error) {
      return Promise.reject(error);
    }
  };
}
