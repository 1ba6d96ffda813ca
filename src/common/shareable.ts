import { hide } from "./brand.js";

// `Symbol.for`, so that a fleet of another copy of this package can share a guard of this one.
const inside: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.inside");

/** Lets a fleet into a guard. */
export function shareable<G extends object>(guard: G, its: object): G {
  hide(guard, inside, its);
  return guard;
}

/** What `shareable` let a fleet into, if anything. */
export function insideOf(guard: object): object | undefined {
  return (guard as { [inside]?: object })[inside];
}
