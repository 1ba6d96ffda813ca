// Compiled twice: with standard decorators, and with TypeScript's legacy ones.
import {
  AttemptTimeoutError,
  BulkheadFullError,
  bulkhead,
  CircuitOpenError,
  circuitBreaker,
  currentAttempt,
  Retry,
  stopAfterAttempt,
} from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");
const never = () => new Promise<never>(() => {});

/** Fails in the first attempt of a call. */
function failOnce(): void {
  if (currentAttempt().attempt === 1) throw busy;
}

const guards = [
  ["bulkhead", () => bulkhead({ limit: 1 })],
  ["circuitBreaker", () => circuitBreaker()],
] as const;

describe.each(guards)("@wrap of a %s", (_, guard) => {
  it("guards an instance method with its own `this` and arguments", async () => {
    const { wrap } = guard();
    class Api {
      @wrap
      async load(...args: unknown[]): Promise<unknown[]> {
        return [this, ...args];
      }
    }
    const api = new Api();

    const result = await api.load("42", true);

    expect(result[0]).toBe(api);
    expect(result.slice(1)).toEqual(["42", true]);
  });

  it("guards a static method with the class as its `this`", async () => {
    const { wrap } = guard();
    class Api {
      readonly url = "/";
      @wrap
      static async load(id: string): Promise<unknown[]> {
        return [this, id];
      }
    }

    expect(await Api.load("42")).toEqual([Api, "42"]);
  });

  it("guards a method that a subclass inherits, and one that makes a super call", async () => {
    const { wrap } = guard();
    class Api {
      readonly url: string = "/";
      async load(id: string): Promise<string> {
        return this.url + id;
      }
      @wrap
      async inherited(): Promise<string> {
        return this.url;
      }
    }
    class Users extends Api {
      override readonly url = "/users/";
      @wrap
      override async load(id: string): Promise<string> {
        return `<${await super.load(id)}>`;
      }
    }

    expect(await new Users().inherited()).toBe("/users/");
    expect(await new Users().load("42")).toBe("</users/42>");
  });

  it("keeps the method's name, length and being not enumerable", () => {
    const { wrap } = guard();
    class Api {
      @wrap
      async load(_id: string, _fresh: boolean): Promise<void> {}
    }

    expect(Api.prototype.load.name).toBe("load");
    expect(Api.prototype.load).toHaveLength(2);
    expect(Object.getOwnPropertyDescriptor(Api.prototype, "load")).toMatchObject({
      enumerable: false,
      configurable: true,
      writable: true,
    });
  });

  it("rejects with the method's own error, also one that it throws at once", async () => {
    const { wrap } = guard();
    class Api {
      @wrap
      load(): Promise<void> {
        throw busy;
      }
    }

    await expect(new Api().load()).rejects.toBe(busy);
  });

  it("wraps functions too, also as the callback of map", async () => {
    const { wrap } = guard();

    const wrapped = [async () => 1, async () => 2].map(wrap as (fn: () => Promise<number>) => () => Promise<number>);

    expect(await wrapped[0]!()).toBe(1);
    expect(await wrapped[1]!()).toBe(2);
  });

  it("stands under @Retry, on instance and static methods, and shows them their attempt", async () => {
    const { wrap } = guard();
    class Api {
      @Retry(instant)
      @wrap
      async load(id: string): Promise<unknown> {
        failOnce();
        return [id, currentAttempt().attempt];
      }
      @Retry(instant)
      @wrap
      static async shared(id: string): Promise<unknown> {
        failOnce();
        return [id, currentAttempt().attempt];
      }
    }

    expect(await new Api().load("a")).toEqual(["a", 2]);
    expect(await Api.shared("b")).toEqual(["b", 2]);
  });
});

describe("stacked guards", () => {
  it("stacked guards each do their part: @Retry above a bulkhead above a breaker", async () => {
    const slots = bulkhead({ limit: 1 });
    const breaker = circuitBreaker({ consecutiveFailures: 2 });
    class Api {
      calls = 0;
      @Retry(instant)
      @slots.wrap
      @breaker.wrap
      async load(): Promise<void> {
        this.calls++;
        throw busy;
      }
    }
    const api = new Api();

    await expect(api.load()).rejects.toBeInstanceOf(CircuitOpenError);
    expect(api.calls).toBe(2);
    expect(slots.inFlight).toBe(0);
  });

  it("stacked guards notice an attempt that timed out: its slot is free, and the breaker opens", async () => {
    const clock = virtualClock();
    const slots = bulkhead({ limit: 1 });
    const breaker = circuitBreaker({ consecutiveFailures: 2, clock });
    class Api {
      readonly url = "/";
      @Retry({ ...instant, clock, attemptTimeout: 100, stop: stopAfterAttempt(2) })
      @slots.wrap
      @breaker.wrap
      static load(): Promise<void> {
        return never();
      }
    }

    const ended = expect(Api.load()).rejects.toBeInstanceOf(AttemptTimeoutError);
    await clock.advance(200);

    await ended;
    expect(slots.inFlight).toBe(0);
    expect(breaker.state).toBe("open");
  });
});

describe("@wrap of a bulkhead", () => {
  it("gives all instances and methods the same slots, and refuses by a rejected promise", async () => {
    const slots = bulkhead({ limit: 1 });
    class Api {
      @slots.wrap
      hang(): Promise<void> {
        return never();
      }
      @slots.wrap
      async load(): Promise<void> {}
    }
    new Api().hang();

    const refused = new Api().load();

    await expect(refused).rejects.toBeInstanceOf(BulkheadFullError);
  });
});

describe("@wrapSync of a breaker", () => {
  it("guards sync methods, instance and static", () => {
    const { wrapSync } = circuitBreaker();
    class Config {
      readonly path = "/";
      @wrapSync
      read(key: string): string {
        return this.path + key;
      }
      @wrapSync
      static shared(key: string): unknown[] {
        return [this, key];
      }
    }

    expect(new Config().read("a")).toBe("/a");
    expect(Config.shared("b")).toEqual([Config, "b"]);
  });

  it("throws where the breaker refuses a sync method", () => {
    const breaker = circuitBreaker();
    class Config {
      @breaker.wrapSync
      read(): number {
        return 1;
      }
    }
    breaker.isolate();

    expect(() => new Config().read()).toThrow(CircuitOpenError);
  });

  it("refuses an async method when the class is defined", () => {
    const wrapSync = circuitBreaker().wrapSync as unknown as (...args: any[]) => any;

    expect(() => {
      class Config {
        @wrapSync
        async read() {}
      }
      return Config;
    }).toThrow(new TypeError("circuitBreaker.wrapSync: fn must not be an async function, use wrap instead"));
  });
});

describe.each([
  ["bulkhead.wrap", bulkhead({ limit: 1 }).wrap],
  ["circuitBreaker.wrap", circuitBreaker().wrap],
  ["circuitBreaker.wrapSync", circuitBreaker().wrapSync],
] as const)("@%s", (owner, wrap) => {
  // Most of these do not compile either.
  const decorate = wrap as unknown as (...args: any[]) => any;
  const noMethod = (what: string) =>
    new TypeError(
      `@${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${owner}()`,
    );
  const generator = new TypeError(`${owner}: fn must not be a generator function: wrap a function that consumes it`);
  it("refuses a generator method", () => {
    expect(() => {
      class Api {
        @decorate
        *pages() {
          yield 1;
        }
      }
      return Api;
    }).toThrow(generator);
  });

  it("refuses an async generator method", () => {
    expect(() => {
      class Api {
        @decorate
        async *pages() {
          yield 1;
        }
      }
      return Api;
    }).toThrow(generator);
  });

  it("refuses a field", () => {
    expect(() => {
      class Api {
        @decorate
        load = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("load is a field"));
  });
});
