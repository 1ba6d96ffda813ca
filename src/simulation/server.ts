import type { Clock } from "../common/clock.js";
import type { Scenario } from "./options.js";

/** What a server is made of. */
export interface ServerOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Requests that it works off in a second. */
  readonly capacity: number;
  /** ms of work that may wait; more is refused at once. */
  readonly queue: number;
  /** ms that an answer takes beside its share of the worker's time. */
  readonly latency: number;
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
  outage: Scenario["outage"];
  readonly #waiting: Request[] = [];

  constructor(private readonly options: ServerOptions) {}

  /** Resolves once the request is worked off, if ever. */
  request(): Promise<void> {
    const { capacity, queue } = this.options;
    const kind = this.outage?.kind;
    if (kind === "blackhole") return new Promise(() => {});
    if (kind === "refused") return Promise.reject(failure("connection refused", { code: "ECONNREFUSED" }));
    if (this.#waiting.length >= (queue / 1_000) * capacity) {
      return Promise.reject(failure("queue full", { status: 503 }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#work();
    });
  }

  #work(): void {
    const { clock, capacity } = this.options;
    const pace = this.outage?.kind === "slow" ? this.outage.pace : 1;
    clock.setTimer(() => this.#worked(), 1_000 / (pace * capacity));
  }

  #worked(): void {
    const { clock, latency } = this.options;
    const request = this.#waiting.shift()!;
    const failed = this.#fails();
    const answer = () => {
      if (this.outage?.kind === "blackhole") return;
      if (failed) request.reject(failure("bad luck", { status: 500 }));
      else request.resolve();
    };
    if (latency > 0) clock.setTimer(answer, latency);
    else answer();
    if (this.#waiting.length > 0) this.#work();
  }

  #fails(): boolean {
    const { random, failing } = this.options;
    const unlucky = random() < failing;
    return this.outage?.kind === "failing" ? random() < this.outage.share || unlucky : unlucky;
  }
}

function failure(message: string, fields: object): Error {
  return Object.assign(new Error(message), fields);
}
