import type { AbandonListener, Attempt } from "../common/current.js";

/** A call that ends with another one's attempt. */
interface Linked {
  abandoned(reason: unknown, timedOut: boolean): void;
}

/** Ends a call with the attempt that it was begun in. */
export class Link implements AbandonListener {
  previous: AbandonListener | undefined = undefined;
  next: AbandonListener | undefined = undefined;
  #call: Linked | undefined;

  constructor(readonly outer: Attempt) {}

  join(call: Linked): void {
    this.#call = call;
    this.outer.onAbandoned(this);
  }

  abandoned(reason: unknown, timedOut: boolean): void {
    this.#call!.abandoned(reason, timedOut);
  }

  leave(): void {
    this.outer.offAbandoned(this);
  }
}
