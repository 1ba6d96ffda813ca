import type { RetryState } from "./attempt.js";
import { describe } from "./inspect.js";
import type { Policy } from "./policy.js";
import { isThenable } from "./thenable.js";

/**
 * Calls a hook. What it throws or rejects with goes to `onHookError`. Answers a promise to wait for, which never
 * rejects, only where the hook returned one. A sync policy cannot wait: there the promise is an error of the hook's.
 */
export function callHook<A>(policy: Policy, hook: (arg: A) => unknown, arg: A): Promise<void> | undefined {
  try {
    return watchResult(policy, hook, hook(arg));
  } catch (error) {
    report(policy, hook, error);
    return undefined;
  }
}

/** Books in the policy's budget. A budget that fails at that cannot change the outcome: it is reported like a hook. */
export function bookInBudget(policy: Policy, entry: "recordFailure", failed: RetryState): void;
export function bookInBudget(policy: Policy, entry: "refund", taken: number): void;
export function bookInBudget(
  policy: Policy,
  entry: "recordSuccess",
  taken: number,
  after: RetryState | undefined,
): void;
export function bookInBudget(policy: Policy, entry: string, what: unknown, after?: RetryState): void {
  const budget = policy.budget as unknown as Record<string, (what: unknown, after?: RetryState) => unknown>;
  try {
    watchResult(policy, budget, budget[entry]!(what, after));
  } catch (error) {
    report(policy, budget, error);
  }
}

function watchResult(policy: Policy, source: object, result: unknown): Promise<void> | undefined {
  if (!isThenable(result)) return undefined;
  const settled = Promise.resolve(result).then(
    () => {},
    (error) => report(policy, source, error),
  );
  if (!policy.kind.sync) return settled;
  report(policy, source, new TypeError("a hook of a sync policy must not return a promise"));
  return undefined;
}

function report(policy: Policy, source: object, error: unknown): void {
  const { onHookError } = policy;
  if (!onHookError) return warnOnce(source, error);
  new Promise((resolve) => resolve(onHookError(error))).catch((cause: unknown) => warnOnce(onHookError, cause));
}

const warned = /* @__PURE__ */ new WeakSet<object>();

function warnOnce(source: object, error: unknown): void {
  if (warned.has(source)) return;
  warned.add(source);
  const message = `undaunted: a hook failed, which changes nothing for the call: ${describe(error)}`;
  const { process, console } = globalThis as {
    process?: { emitWarning?: (message: string) => void };
    console?: { warn?: (message: string) => void };
  };
  if (process?.emitWarning) process.emitWarning(message);
  else console?.warn?.(message);
}
