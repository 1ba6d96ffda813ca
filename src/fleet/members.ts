import type { Circuit } from "../circuit/circuit.js";
import type { RetryBudget } from "../common/attempt.js";
import type { LruMap } from "../common/lru-map.js";
import { insideOf } from "../common/shareable.js";
import { show } from "../common/validate.js";
import { type BudgetInside, budgetTokens, type LimitInside, limitTokens } from "./bucket-tokens.js";
import type { FleetContext, Line } from "./line.js";
import type { Verdict } from "./protocol.js";
import { SharedBreaker } from "./shared-breaker.js";
import { SharedBudget } from "./shared-budget.js";

/** A guard's part in its fleet. */
export interface Member {
  readonly line: Line;
  ready(): Promise<void>;
  hear?(verdict: Verdict): void;
  close(): void;
}

/** What a guard needs to join. */
export interface Joining {
  readonly key: string;
  readonly capacitySeconds: number;
  readonly context: FleetContext;
  readonly add: (name: string, make: () => Member) => Member;
  readonly drop: (name: string, member: Member) => void;
}

/** How a guard joins a fleet; `join` returns what undoes for its keys to come. */
interface Joinable {
  readonly keyed: boolean;
  join(joining: Joining): () => void;
}

type BreakerEntry = { readonly circuit: Circuit };

const ALLOWED = "a circuitBreaker, circuitBreakers, a retryBudget, retryBudgets or a retryRateLimit";

/** How a guard of whatever kind joins. */
export function membersOf(guard: unknown): Joinable {
  const inside = typeof guard === "object" && guard !== null ? insideOf(guard) : undefined;
  if (!inside) throw new TypeError(`fleet.share: guard must be ${ALLOWED}, got ${show(guard)}`);
  if ("become" in inside) return one((joining, key) => joinBreaker(inside as Circuit, joining, key));
  if ("drain" in inside || "restrict" in inside) {
    return one((joining, key) => joinBudget(guard as RetryBudget, joining, key));
  }
  const kept = inside as LruMap<BreakerEntry | RetryBudget>;
  return family(kept, (of, joining, key) =>
    "circuit" in of ? joinBreaker(of.circuit, joining, key) : joinBudget(of, joining, key),
  );
}

type Joined = readonly [name: string, member: Member];

function one(join: (joining: Joining, key: string) => Joined): Joinable {
  return {
    keyed: false,
    join(joining) {
      join(joining, joining.key);
      return () => {};
    },
  };
}

/** Past so many that a family let go of, the fleet lets go of them, too. */
const MOST_GONE = 64;

function family<V extends object>(kept: LruMap<V>, join: (of: V, joining: Joining, key: string) => Joined): Joinable {
  return {
    keyed: true,
    join(joining) {
      const joined = new Map<V, Joined>();
      const add = (of: V, key: unknown) => {
        if (joined.size >= kept.size + MOST_GONE) forgetGone();
        joined.set(of, join(of, joining, keyOf(joining.key, key)));
      };
      const forgetGone = () => {
        const all = new Set<V>();
        for (const [, each] of kept.entries()) all.add(each);
        for (const [of, [name, member]] of joined) {
          if (all.has(of)) continue;
          joined.delete(of);
          joining.drop(name, member);
        }
      };
      for (const [key, of] of kept.entries()) add(of, key);
      const { make } = kept;
      kept.make = (key) => {
        const made = make(key);
        add(made, key);
        return made;
      };
      return () => {
        kept.make = make;
      };
    },
  };
}

function keyOf(base: string, key: unknown): string {
  if (typeof key === "string") return `${base}/s:${key}`;
  if (typeof key === "number") return `${base}/n:${key}`;
  throw new TypeError(`fleet.share: a shared guard's keys must be strings or numbers, got ${show(key)}`);
}

function joinBreaker(circuit: Circuit, { context, add }: Joining, key: string): Joined {
  const { rules } = circuit.settings;
  if (rules.failureRate === Infinity && rules.slowRate === Infinity) {
    throw new TypeError(
      "fleet.share: a shared breaker needs failureRate or slowRate: failures in a row mean nothing over many processes",
    );
  }
  const name = `breaker ${key}`;
  return [name, add(name, () => new SharedBreaker(circuit, rules, context, key))];
}

function joinBudget(budget: RetryBudget, { context, add, capacitySeconds }: Joining, key: string): Joined {
  const inside = insideOf(budget) as BudgetInside | LimitInside;
  const isBudget = "drain" in inside;
  const tokens = isBudget ? budgetTokens(inside, capacitySeconds) : limitTokens(inside);
  const name = `${isBudget ? "budget" : "limit"} ${key}`;
  return [name, add(name, () => new SharedBudget(budget, tokens, context, key))];
}
