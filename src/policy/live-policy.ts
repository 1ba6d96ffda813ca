import type { RetryOptions } from "../common/attempt.js";
import { callHook, report } from "../common/call-hook.js";
import { isThenable } from "../common/thenable.js";
import { check, FUNCTION, hasMethods, OPTIONS, type Rule, readOptions } from "../common/validate.js";
import type { PolicyData } from "./data.js";
import { type Fault, faultsOf } from "./faults.js";
import { policyFrom } from "./policy-from.js";
import type { Refs } from "./read.js";

/** Where a policy comes from: a file, a flag, a table. */
export interface PolicySource {
  /** What warnings and errors call it, as the file's path. */
  readonly name?: string | undefined;
  /** Reads the policy: data, or its JSON text, or a promise of either. */
  read(): unknown;
  /** Calls back whenever it may have changed; returns what ends that. */
  subscribe?(changed: () => void): (() => unknown) | undefined;
}

/** A change of a live policy. */
export interface PolicyChange {
  /** `undefined` for the first. */
  readonly from: PolicyData | undefined;
  readonly to: PolicyData;
  readonly options: RetryOptions;
}

/** The options of `livePolicy`. */
export interface LivePolicyOptions {
  /** What data names and cannot hold. Guards and budgets are made once, here, and keep their own options. */
  refs?: Refs | undefined;
  /** What holds until the source was read for the first time. Without it, calls fail until then. */
  initial?: PolicyData | undefined;
  /** Called after each change that took effect, the first one too. */
  onChange?: ((change: PolicyChange) => unknown) | undefined;
  /**
   * Called with what was wrong with an edit, or with the source: the last good policy stays.
   * @default a warning, one for each that is not the same as the one before
   */
  onError?: ((error: unknown) => void) | undefined;
}

/** An options function that follows a source. */
export interface LivePolicy {
  (): RetryOptions;
  /** The data that holds now. */
  readonly current: PolicyData | undefined;
  /** Resolves when the source has been read for the first time, well or not, or at `close`; never rejects. */
  readonly ready: Promise<void>;
  /** Reads the source now; resolves when that is done. */
  refresh(): Promise<void>;
  /** Ends following; the last policy stays. */
  close(): void;
}

const SOURCE: Rule = ["an object with a method read", "object", /* @__PURE__ */ hasMethods("read")];
const TABLE = { refs: OPTIONS, initial: OPTIONS, onChange: FUNCTION, onError: FUNCTION };

/**
 * Returns an options function that follows a source of policies as data: `retry(fn, livePolicy(source))`. It decides about calls that begin
 * later, and returns the same object until the data changes. A bad edit changes nothing and is reported. Throws a `TypeError`
 * for a bad option.
 *
 * @example
 * let text = '{ "stop": { "stopAfterAttempt": 1 } }';
 * const policy = livePolicy({ read: () => text });
 * text = '{ "stop": { "stopAfterAttempt": 2 }, "wait": "waitNone" }';
 * await policy.refresh();
 * await retry(flaky([new Error("busy"), "ok"]), policy)(); // => "ok"
 */
export function livePolicy(source: PolicySource, options: LivePolicyOptions = {}): LivePolicy {
  check("livePolicy", "source", source, SOURCE);
  const { refs = {}, initial, onChange, onError } = readOptions("livePolicy", options, TABLE);
  const owner = { kind: { sync: "" }, onHookError: onError };
  const faults = faultsOf(source);
  let resolveReady = () => {};
  const ready = new Promise<void>((resolve) => {
    resolveReady = resolve;
  });
  let text: string | undefined;
  let made: RetryOptions | undefined;
  let closed = false;
  /** Why there is no policy, once a read has failed. */
  let failure: { readonly what: string; readonly cause: unknown } | undefined;
  /** Reads that were begun; one that is overtaken by a later one says nothing. */
  let latest = 0;

  const take = (found: unknown): void => {
    const data = (typeof found === "string" ? JSON.parse(found) : found) as PolicyData;
    const next = canonical(data);
    if (next !== undefined && next === text) return;
    const options = policyFrom(data, refs);
    const from = text === undefined ? undefined : JSON.parse(text);
    [text, made] = [next, options];
    faults.forget();
    if (onChange) callHook(owner, onChange, { from, to: JSON.parse(next!), options });
  };
  const fail = (fault: Fault, error: unknown): void => {
    const what = faults.say(fault, error);
    failure = { what, cause: error };
    if (onError) report(owner, source, error);
    else faults.warn(what, made ? "the last good policy stays" : "there is none before it");
  };
  /** What a read ended in, unless a later one was begun. */
  const settle = (own: number, end: () => void): void => {
    if (closed || own !== latest) return;
    end();
    resolveReady();
  };
  const arrived = (found: unknown): void => {
    try {
      take(found);
    } catch (error) {
      fail(error instanceof SyntaxError ? "no JSON" : "no policy", error);
    }
  };
  const refresh = (): Promise<void> | undefined => {
    const own = ++latest;
    const failed = (error: unknown) => settle(own, () => fail("unread", error));
    try {
      const found = source.read();
      if (isThenable(found)) return Promise.resolve(found).then((later) => settle(own, () => arrived(later)), failed);
      settle(own, () => arrived(found));
    } catch (error) {
      failed(error);
    }
    return undefined;
  };

  if (initial) take(initial);
  const end = source.subscribe?.(() => {
    if (!closed) refresh();
  });
  refresh();
  const live = () => {
    if (made) return made;
    if (!failure) throw new Error("livePolicy: no policy was read yet: await its `ready`, or give `initial`");
    const { what, cause } = failure;
    throw new Error(`livePolicy: there is no policy: ${what}`, { cause });
  };
  return Object.defineProperties(live, {
    current: { get: () => (text === undefined ? undefined : JSON.parse(text)), enumerable: true },
    ready: { value: ready },
    refresh: { value: async () => void (await refresh()) },
    close: {
      value: () => {
        if (!closed) end?.();
        closed = true;
        resolveReady();
      },
    },
  }) as LivePolicy;
}

/** Data as text that is the same for the same data, in whatever order its names stand. */
function canonical(data: unknown): string | undefined {
  return JSON.stringify(data, (_, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
