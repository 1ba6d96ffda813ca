import { sharedUnder } from "./shared.js";

/** What a guard says of itself. */
export interface GuardFacts {
  /** A budget's; `undefined` where its store cannot tell at once. */
  readonly balance?: number | undefined;
  /** A bulkhead's, or the sums of a family's. */
  readonly inFlight?: number;
  readonly queued?: number;
  readonly limit?: number;
  /** A breaker's state, or those of a family. */
  readonly states?: Iterable<"closed" | "open" | "half-open" | "isolated">;
}

interface Named {
  readonly name: string;
  readonly guard: WeakRef<object>;
}

const shared = /* @__PURE__ */ sharedUnder<{ guards: Named[]; sweepAt: number }>("guards", { guards: [], sweepAt: 16 });

const facts: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.facts");

type Telling = { [facts]?: () => GuardFacts };

/** Returns `guard`, listed under its name if it was given one, for as long as anybody holds it. */
export function named<G extends object>(guard: G, name: string | undefined, tell: () => GuardFacts): G {
  if (name === undefined || typeof WeakRef !== "function") return guard;
  Object.defineProperty(guard, facts, { value: tell });
  // What is made for each request would pile up.
  if (shared.guards.length >= shared.sweepAt) {
    shared.guards = shared.guards.filter((each) => each.guard.deref());
    shared.sweepAt = 2 * shared.guards.length + 16;
  }
  shared.guards.push({ name, guard: new WeakRef(guard) });
  return guard;
}

/** The guards that have a name and are still there, and what they say now. */
export function* namedGuards(): Iterable<{ readonly name: string; readonly facts: GuardFacts }> {
  for (const { name, guard } of shared.guards) {
    const there = guard.deref() as Telling | undefined;
    if (there) yield { name, facts: there[facts]!() };
  }
}
