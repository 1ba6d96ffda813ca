import type { Clock } from "undaunted";

/** How a server fails: nothing answers, every connection is refused, or it does the same at 0.4 of its pace. */
export type Outage = "blackhole" | "refused" | "slow";

/** What is left of a server's capacity in the outage `"slow"`. */
export const SLOW = 0.4;

/** What a server is made of. */
export interface ServerOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Requests that it works off in a second. */
  readonly capacity: number;
  /** Seconds of work that may wait; more is refused at once. */
  readonly queue: number;
  /** The share of requests that fail for no reason at all, once worked off. */
  readonly failing: number;
}

interface Request {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One worker and a bounded queue, first in first out. It cannot know which of its clients still wait, and so works off
 * what nobody waits for any more: that is how an overload outlives its cause.
 */
export class Server {
  outage: Outage | undefined;
  readonly #waiting: Request[] = [];

  constructor(private readonly options: ServerOptions) {}

  /** Resolves once the request is worked off, if ever. */
  request(): Promise<void> {
    const { capacity, queue } = this.options;
    if (this.outage === "blackhole") return new Promise(() => {});
    if (this.outage === "refused") return Promise.reject(failure("connection refused", { code: "ECONNREFUSED" }));
    if (this.#waiting.length >= queue * capacity) return Promise.reject(failure("queue full", { status: 503 }));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#work();
    });
  }

  #work(): void {
    const { clock, capacity } = this.options;
    clock.setTimer(() => this.#worked(), 1_000 / (this.outage === "slow" ? SLOW * capacity : capacity));
  }

  #worked(): void {
    const { random, failing } = this.options;
    const { resolve, reject } = this.#waiting.shift()!;
    if (random() < failing) reject(failure("bad luck", { status: 500 }));
    else if (this.outage !== "blackhole") resolve();
    if (this.#waiting.length > 0) this.#work();
  }
}

function failure(message: string, fields: object): Error {
  return Object.assign(new Error(message), fields);
}
