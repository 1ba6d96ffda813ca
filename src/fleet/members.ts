import type { Circuit } from "../circuit/circuit.js";
import type { RetryBudget } from "../common/attempt.js";
import type { LruMap } from "../common/lru-map.js";
import { insideOf } from "../common/shareable.js";
import { show } from "../common/validate.js";
import { type BudgetInside, budgetTokens, type LimitInside, limitTokens } from "./bucket-tokens.js";
import type { FleetContext, Line } from "./line.js";
import { isWellFormed } from "./options.js";
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
  /** Keeps what the names of a family begin with from another family. */
  readonly claim: (family: string) => void;
}

/** How a guard joins a fleet; `join` returns what undoes for its keys to come. */
interface Joinable {
  readonly keyed: boolean;
  readonly isBudget: boolean;
  join(joining: Joining): () => void;
}

type BreakerEntry = { readonly circuit: Circuit };

const ALLOWED = "a circuitBreaker, circuitBreakers, a retryBudget, retryBudgets or a retryRateLimit";

/** How a guard of whatever kind joins. */
export function membersOf(guard: unknown): Joinable {
  const inside = typeof guard === "object" && guard !== null ? insideOf(guard) : undefined;
  if (!inside) throw new TypeError(`fleet.share: guard must be ${ALLOWED}, got ${show(guard)}`);
  if ("become" in inside) {
    checkRates(inside as Circuit);
    return one(false, (joining, key) => joinBreaker(inside as Circuit, joining, key));
  }
  if ("drain" in inside || "restrict" in inside) {
    return one("drain" in inside, (joining, key) => joinBudget(guard as RetryBudget, joining, key));
  }
  const kept = inside as LruMap<BreakerEntry | RetryBudget>;
  // One that is no call's: what is wrong with it is wrong with all of them.
  const sample = kept.make("");
  if (!("circuit" in sample)) return family("budget", kept as LruMap<RetryBudget>, joinBudget);
  checkRates(sample.circuit);
  return family("breaker", kept as LruMap<BreakerEntry>, (of, joining, key) => joinBreaker(of.circuit, joining, key));
}

type Joined = readonly [name: string, member: Member];

function one(isBudget: boolean, join: (joining: Joining, key: string) => Joined): Joinable {
  return {
    keyed: false,
    isBudget,
    join(joining) {
      join(joining, joining.key);
      return () => {};
    },
  };
}

/** Past so many that a family let go of, the fleet lets go of them, too. */
const MOST_GONE = 64;

function family<V extends object>(
  kind: "breaker" | "budget",
  kept: LruMap<V>,
  join: (of: V, joining: Joining, key: string) => Joined,
): Joinable {
  return {
    keyed: true,
    isBudget: kind === "budget",
    join(joining) {
      joining.claim(`${kind} ${joining.key}/`);
      const joined = new Map<string, { readonly of: V; readonly joined: Joined }>();
      const told = new Set<string>();
      // No call fails because of its fleet: what cannot be shared stays this process's own.
      const tellOnce = (what: string, error: unknown) => {
        if (told.has(what)) return;
        told.add(what);
        joining.context.report(error);
      };
      const forget = (key: string) => {
        const entry = joined.get(key);
        if (!entry) return;
        joined.delete(key);
        joining.drop(...entry.joined);
      };
      const forgetGone = () => {
        const all = new Set<V>();
        for (const [, each] of kept.entries()) all.add(each);
        for (const [key, { of }] of joined) if (!all.has(of)) forget(key);
      };
      const add = (of: V, its: unknown) => {
        const key = keyOf(joining.key, its);
        if (key === undefined) return tellOnce("key", noKey(its));
        // One that the family made before, and let go of or never kept.
        forget(key);
        if (joined.size >= kept.size + MOST_GONE) forgetGone();
        try {
          joined.set(key, { of, joined: join(of, joining, key) });
        } catch (error) {
          tellOnce("taken", error);
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

/** What a family's fleet calls a key; nothing where that is not the same in all processes. */
function keyOf(base: string, key: unknown): string | undefined {
  if (typeof key === "number") return `${base}/n:${key}`;
  return typeof key === "string" && isWellFormed(key) ? `${base}/s:${key}` : undefined;
}

function noKey(key: unknown): TypeError {
  return new TypeError(
    `fleet.share: keys must be well-formed strings or numbers to be shared, got ${show(key)}, whose guard stays this process's own`,
  );
}

function checkRates({ settings: { rules } }: Circuit): void {
  if (rules.failureRate < Infinity || rules.slowRate < Infinity) return;
  throw new TypeError(
    "fleet.share: a shared breaker needs failureRate or slowRate: failures in a row mean nothing over many processes",
  );
}

function joinBreaker(circuit: Circuit, { context, add }: Joining, key: string): Joined {
  const name = `breaker ${key}`;
  return [name, add(name, () => new SharedBreaker(circuit, circuit.settings.rules, context, key))];
}

function joinBudget(budget: RetryBudget, { context, add, capacitySeconds }: Joining, key: string): Joined {
  const inside = insideOf(budget) as BudgetInside | LimitInside;
  const isBudget = "drain" in inside;
  const tokens = isBudget ? budgetTokens(inside, capacitySeconds) : limitTokens(inside);
  const name = `${isBudget ? "budget" : "limit"} ${key}`;
  return [name, add(name, () => new SharedBudget(budget, tokens, context, key))];
}
