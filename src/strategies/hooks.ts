import type { Hooks } from "../common/attempt.js";
import { isThenable } from "../common/thenable.js";
import { FUNCTION, readOptions } from "../common/validate.js";

const HOOKS = { onAttempt: FUNCTION, onRetry: FUNCTION, onSuccess: FUNCTION, onGiveUp: FUNCTION };

/**
 * Merges hook objects into one: all are called, in order, and one that throws does not keep the rest from being
 * called. Several errors reach `onHookError` as one `AggregateError`.
 *
 * @example
 * const seen: string[] = [];
 * const hooks = mergeHooks({ onSuccess: () => seen.push("a") }, { onSuccess: () => seen.push("b") });
 * await runWithRetry(() => 1, hooks);
 * seen; // => ["a", "b"]
 */
export function mergeHooks<T = any>(...parts: readonly Hooks<T>[]): Hooks<T> {
  const read = parts.map((part) => readOptions("mergeHooks", part, HOOKS));
  const merged: Record<string, (arg: never) => unknown> = {};
  for (const name of Object.keys(HOOKS) as (keyof Hooks)[]) {
    const hooks = read.flatMap((part) => (part[name] as (arg: never) => unknown) ?? []);
    if (hooks.length > 0) merged[name] = (arg) => callAll(hooks, arg);
  }
  return merged;
}

function callAll(hooks: readonly ((arg: never) => unknown)[], arg: never): unknown {
  const errors: unknown[] = [];
  const pending: unknown[] = [];
  for (const hook of hooks) {
    try {
      const result = hook(arg);
      if (isThenable(result)) pending.push(Promise.resolve(result).catch((error: unknown) => errors.push(error)));
    } catch (error) {
      errors.push(error);
    }
  }
  if (pending.length > 0) return Promise.all(pending).then(() => throwAll(errors));
  return throwAll(errors);
}

function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, "several hooks failed");
}
