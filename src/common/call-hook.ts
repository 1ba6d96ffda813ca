import { describe, readField } from "./inspect.js";
import { isThenable } from "./thenable.js";

/** Whose hook it is: a policy, or a guard. */
export interface HookOwner {
  /** Its own name, if it was given one. */
  readonly name?: string | undefined;
  /** `sync`: what is wrong with a hook that returns a promise; empty where there may be one. */
  readonly kind: { readonly sync: string };
  readonly onHookError?: ((error: unknown) => void) | undefined;
}

/**
 * Calls a hook. What it throws or rejects with goes to `onHookError`. Returns a promise to wait for, which never
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
  report(owner, source, new TypeError(owner.kind.sync));
  return undefined;
}

/** Hands on what a hook threw or rejected with. */
export function report(owner: HookOwner, source: object, error: unknown): void {
  const { onHookError } = owner;
  if (!onHookError) return warn(owner, source, error);
  new Promise((resolve) => resolve(onHookError(error))).catch((cause: unknown) => warn(owner, onHookError, cause));
}

// A hook that is written where a call is made is another function in each call: of those of one place few are heard, and
// fewer of what is alike.
const MOST_ALIKE = 3;
const MOST_OF_A_PLACE = 10;
const MOST_PLACES = 100;
const warned = /* @__PURE__ */ new WeakSet<object>();
/** Warnings by place, and there by message. */
const heard = /* @__PURE__ */ new Map<string, string[]>();

/** Warns once for each hook, and a few times where hooks of one place fail. */
function warn({ name }: HookOwner, source: object, error: unknown): void {
  const message = `undaunted: a hook failed: ${describe(error)}`;
  // What was written at one place has one text.
  const place = `${name} ${describe(readField(source, "name"))} ${describe(source)}`;
  const messages = heard.get(place) ?? [];
  if (warned.has(source) || messages.length === MOST_OF_A_PLACE) return;
  if (messages.filter((each) => each === message).length === MOST_ALIKE) return;
  if (messages.length === 0 && heard.size === MOST_PLACES) return;
  warned.add(source);
  heard.set(place, [...messages, message]);
  emitWarning(message);
}

/** A warning of the process's, or a line on the console where there is none. */
export function emitWarning(message: string): void {
  const { process, console } = globalThis as {
    process?: { emitWarning?: (message: string) => void };
    console?: { warn?: (message: string) => void };
  };
  if (process?.emitWarning) process.emitWarning(message);
  else console?.warn?.(message);
}
