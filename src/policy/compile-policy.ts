import { meantByName } from "../common/meant.js";
import { check, OPTIONS, type Rule, readOptions, show } from "../common/validate.js";
import type { PolicyData } from "./data.js";
import { translated } from "./foreign.js";
import { FORMS } from "./forms.js";
import { type Loss, nameOf, planOf, writtenOut } from "./plan.js";
import { policyFrom } from "./policy-from.js";
import { STRATEGY_ROLES } from "./read.js";
import { grpc, stepFunctions, type Target, temporal } from "./targets.js";

const TARGETS: Readonly<Record<CompileTarget, Target>> = { temporal, stepFunctions, grpc };

/** What a policy can be compiled to. */
export type CompileTarget = "temporal" | "stepFunctions" | "grpc";

/** A policy in an engine's words. */
export interface CompiledForEngine {
  readonly config: any;
  /** What the engine does otherwise, in the order in which it was met. */
  readonly lost: readonly Loss[];
}

/** The options of `compilePolicy`. */
export interface CompilePolicyOptions {
  /**
   * What may be left out although it is no small thing: `"stop"`, `"retryIf"`, or the name of a strategy of theirs, as
   * `"retryIfErrorMessage"`; `"ref"` for a function.
   */
  allow?: readonly string[] | undefined;
}

const ALLOW: Rule = ["a list of names", "object", Array.isArray];

/**
 * Returns a policy in the words of an engine, and what is lost by it: `"temporal"`, the options of an activity; `"stepFunctions"`, fields
 * of a Task state; `"grpc"`, a service config. Defaults that the data leaves out are written out. Times are rounded up. Throws a `TypeError`
 * where a `stop` or a `retryIf` cannot be said and `allow` does not name it: without it everything would be retried; and for a name in `allow`
 * that is none.
 *
 * @example
 * const { config, lost } = compilePolicy("temporal", { wait: { waitFixed: 250 }, attemptTimeout: 1_000 });
 * config.retry; // => { initialInterval: 250, backoffCoefficient: 1, maximumInterval: 250, maximumAttempts: 4 }
 * lost; // => []
 */
export function compilePolicy(
  target: CompileTarget,
  policy: PolicyData,
  options: CompilePolicyOptions = {},
): CompiledForEngine {
  const names = Object.keys(TARGETS);
  check("compilePolicy", "target", target, [names.join(", "), "string", (name) => names.includes(name)]);
  const { allow = [] } = readOptions("compilePolicy", options, { allow: ALLOW });
  checkAllowed(allow);
  check("compilePolicy", "data", policy, OPTIONS);
  // Another system's words would otherwise be no stop and no wait, and the defaults would stand for them.
  const data = translated(policy) ?? policy;
  validate(data);
  const lost: Loss[] = [];
  const lose = (loss: Loss) => void lost.push(loss);
  const plan = planOf(data, allow, lose);
  const unsaid = (why: string) => {
    const { retryIf } = writtenOut(data);
    if (!allow.includes("retryIf") && !allow.includes(nameOf(retryIf))) {
      throw new TypeError(
        `compilePolicy: retryIf cannot be said there: ${why}; without it everything would be retried. ` +
          `To leave it out all the same, name it: { allow: ["retryIf"] }`,
      );
    }
    lose({ path: "retryIf", wanted: retryIf, got: undefined, why });
  };
  return { config: TARGETS[target](data, plan, { lose, unsaid }), lost };
}

/** What may be refused, and so allowed: a misspelled name would allow nothing. */
function checkAllowed(allow: readonly unknown[]): void {
  const names = ["stop", "retryIf", "ref", ...Object.keys(FORMS.stop), ...Object.keys(FORMS.retryIf)];
  for (const [index, name] of allow.entries()) {
    if (names.includes(name as string)) continue;
    const meant = typeof name === "string" ? meantByName(names, name, undefined) : "";
    throw new TypeError(`compilePolicy: allow[${index}] must be one of ${names.join(", ")}; got ${show(name)}${meant}`);
  }
}

/** Checks data whose references are not there: a function stands for those of strategies, and nothing for those of other options. */
function validate(data: PolicyData): void {
  const isStrategy = ([name]: [string, unknown]) => (STRATEGY_ROLES as readonly string[]).includes(name);
  const entries = Object.entries(data);
  const strategies = entries.filter(isStrategy);
  const others = entries.filter((entry) => !isStrategy(entry));
  policyFrom(Object.fromEntries(strategies), Object.fromEntries(refsIn(strategies).map((name) => [name, standIn])));
  policyFrom(Object.fromEntries(others), Object.fromEntries(refsIn(others).map((name) => [name, undefined])));
}

function standIn(): void {}

function isRef(value: unknown): value is { ref: string } {
  return typeof value === "object" && value !== null && typeof (value as { ref?: unknown }).ref === "string";
}

function refsIn(data: unknown, depth = 0): string[] {
  if (typeof data !== "object" || data === null || depth > 50) return [];
  return isRef(data) ? [data.ref] : Object.values(data).flatMap((each) => refsIn(each, depth + 1));
}
