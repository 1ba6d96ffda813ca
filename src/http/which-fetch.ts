/** Anything that is called as `fetch` is. */
export type AnyFetch = (input: any, init?: any) => Promise<any>;

// The global fetch is looked up at each attempt, so that a mock which patches it later counts. But it may be a client of ours
// (`globalThis.fetch = retryFetch()`), or lead to one through somebody's instrumentation: then a client must not call itself.

const CLIENT: unique symbol = /* @__PURE__ */ Symbol.for("undaunted.fetch");

/** Marks a client's function. */
export function markClient<F extends object>(fetch: F): F {
  return Object.defineProperty(fetch, CLIENT, { value: true });
}

/** The global fetch for one client. */
export class GlobalFetch {
  /** What was global when the client was made. */
  readonly #before: AnyFetch = globalThis.fetch;
  /** Calls of a global fetch that is another by now, from which one of this client's may come back. */
  #calling = 0;
  readonly #passedOn = new WeakSet<object>();

  /** Calls it as it is now. */
  call(input: unknown, init: object | undefined): Promise<Response> {
    const now: AnyFetch = globalThis.fetch;
    if (now === this.#before || CLIENT in now) return callWith(this.#before, input, init);
    if (init) this.#passedOn.add(init);
    this.#calling++;
    try {
      return callWith(now, input, init);
    } finally {
      this.#calling--;
    }
  }

  /** What a call that came back from the global fetch goes on with; `undefined` for a call of its own. */
  outOfLoop(init: object | undefined): AnyFetch | undefined {
    return this.#calling > 0 || (init && this.#passedOn.has(init)) ? this.#before : undefined;
  }
}

/** Without an init where there is none, as the caller would have called it. */
export function callWith(fetch: AnyFetch, input: unknown, init: object | undefined): Promise<Response> {
  return init === undefined ? fetch(input) : fetch(input, init);
}
