import type { RetryOptions } from "../common/attempt.js";
import { check, isGiven, OPTIONS } from "../common/validate.js";
import { ASYNC, type CompiledPolicy, compile, type LoopKind } from "../loop/policy.js";

type OfOneProcess = "clock" | "signal" | "unref" | "onLateResult";

/**
 * A policy whose decisions may be taken in several processes: the options of `retry` without those that mean one process (`clock`, `signal`,
 * `unref`, `onLateResult`), which are an error.
 */
export type DurableOptions<T = any> = Omit<RetryOptions<T>, OfOneProcess> & { [Name in OfOneProcess]?: undefined };

const OF_ONE_PROCESS: readonly OfOneProcess[] = ["clock", "signal", "unref", "onLateResult"];

/** What the policies of one way in are compiled by. */
export interface DurableKind {
  readonly kind: LoopKind;
  readonly spans: boolean;
}

/** The kind of `owner`. `spans`: its calls may go on in another process. */
export function durableKind(owner: string, spans = true): DurableKind {
  const named = Object.entries(ASYNC.table).filter(([name]) => !spans || !isOfOneProcess(name));
  return { kind: { ...ASYNC, owner, table: Object.fromEntries(named), compiled: new WeakMap() }, spans };
}

function isOfOneProcess(name: string): boolean {
  return (OF_ONE_PROCESS as readonly string[]).includes(name);
}

const NO_OPTIONS = {};

/** The policy of an options object. Throws on an option that makes no sense, or that cannot mean anything to a later process. */
export function compileDurable({ kind, spans }: DurableKind, options: object = NO_OPTIONS): CompiledPolicy {
  check(kind.owner, "options", options, OPTIONS);
  for (const name of spans ? OF_ONE_PROCESS : []) {
    if (!isGiven(options, name) || (options as RetryOptions)[name] === undefined) continue;
    throw new TypeError(
      `${kind.owner}: ${name} means one process, and this policy is for calls that go on in another: leave it out, or give it to runAttempt`,
    );
  }
  return compile(kind, options);
}

/** A policy, or a function that returns one for each decision. */
export type DurablePolicy = (...args: never[]) => CompiledPolicy;

/** What the options argument of an adapter says: options, or a function of what is processed that returns them each time. */
export function durablePolicy(kind: DurableKind, options: object | ((...args: any[]) => object) = NO_OPTIONS) {
  if (typeof options === "function") return (...args: unknown[]) => compileDurable(kind, options(...args));
  const policy = compileDurable(kind, options);
  return () => policy;
}
