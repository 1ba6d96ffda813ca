import { describe } from "./inspect.js";
import { isThenable } from "./thenable.js";

/** Whose hook it is: a policy, or a guard. */
export interface HookOwner {
  readonly kind: { readonly sync: boolean };
  readonly onHookError?: ((error: unknown) => void) | undefined;
}

/**
 * Calls a hook. What it throws or rejects with goes to `onHookError`. Answers a promise to wait for, which never
 * rejects, only where the hook returned one. A sync policy cannot wait: there the promise is an error of the hook's.
 */
export function callHook<A>(owner: HookOwner, hook: (arg: A) => unknown, arg: A): Promise<void> | undefined {
  try {
    return heedResult(owner, hook, hook(arg));
  } catch (error) {
    report(owner, hook, error);
    return undefined;
  }
}

/** Heeds what a hook, or whatever is reported like one, returned. */
export function heedResult(owner: HookOwner, source: object, result: unknown): Promise<void> | undefined {
  return isThenable(result) ? heedPromise(owner, source, result) : undefined;
}

// On its own: a function that makes closures allocates what they share each time it is entered.
function heedPromise(owner: HookOwner, source: object, promise: PromiseLike<unknown>): Promise<void> | undefined {
  const settled = Promise.resolve(promise).then(
    () => {},
    (error) => report(owner, source, error),
  );
  if (!owner.kind.sync) return settled;
  report(owner, source, new TypeError("a hook of a sync policy must not return a promise"));
  return undefined;
}

/** Tells of what a hook threw or rejected with. */
export function report({ onHookError }: HookOwner, source: object, error: unknown): void {
  if (!onHookError) return warnOnce(source, error);
  new Promise((resolve) => resolve(onHookError(error))).catch((cause: unknown) => warnOnce(onHookError, cause));
}

const warned = /* @__PURE__ */ new WeakSet<object>();

function warnOnce(source: object, error: unknown): void {
  if (warned.has(source)) return;
  warned.add(source);
  const message = `undaunted: a hook failed: ${describe(error)}`;
  const { process, console } = globalThis as {
    process?: { emitWarning?: (message: string) => void };
    console?: { warn?: (message: string) => void };
  };
  if (process?.emitWarning) process.emitWarning(message);
  else console?.warn?.(message);
}
