// Compiled twice: with standard decorators, and with TypeScript's legacy ones.
import { currentAttempt, Retry, RetrySync, retryIfError, stopAfterAttempt, waitFixed } from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const busy = new Error("busy");

/** Fails in the first attempt of a call. */
function failOnce(): void {
  if (currentAttempt().attempt === 1) throw busy;
}

describe("@Retry", () => {
  it("retries an instance method with its own `this` and arguments", async () => {
    const seen: unknown[] = [];
    class Api {
      @Retry(instant)
      async load(...args: unknown[]): Promise<unknown> {
        seen.push([this, args]);
        failOnce();
        return args[0];
      }
    }
    const api = new Api();

    expect(await api.load("42", true)).toBe("42");
    expect(seen).toEqual([
      [api, ["42", true]],
      [api, ["42", true]],
    ]);
    expect((seen[1] as unknown[])[0]).toBe(api);
  });

  it("retries a static method with the class as its `this`", async () => {
    class Api {
      readonly url = "/";
      @Retry(instant)
      static async load(id: string): Promise<unknown[]> {
        failOnce();
        return [this, id];
      }
    }

    expect(await Api.load("42")).toEqual([Api, "42"]);
  });

  it("retries a method that returns a promise without being async", async () => {
    class Api {
      @Retry(instant)
      load(): Promise<string> {
        failOnce();
        return Promise.resolve("42");
      }
    }

    expect(await new Api().load()).toBe("42");
  });

  it("keeps the method's name, length and being not enumerable", () => {
    class Api {
      @Retry()
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

  it.each([
    ["a string key", "a b", "a b"],
    ["a symbol key", Symbol("load"), "Symbol(load)"],
  ])("calls a method under %s by its key", async (_, key, name) => {
    const names: string[] = [];
    class Api {
      @Retry({ ...instant, onRetry: (state) => names.push(state.name) })
      async [key](): Promise<number> {
        failOnce();
        return 42;
      }
    }

    expect(await (new Api() as Record<typeof key, () => Promise<number>>)[key]!()).toBe(42);
    expect(names).toEqual([name]);
  });

  it("lets the policy's name go before the method's", async () => {
    const names: string[] = [];
    class Api {
      @Retry({ name: "users", onSuccess: (state) => names.push(state.name) })
      async load(): Promise<void> {}
    }

    await new Api().load();

    expect(names).toEqual(["users"]);
  });

  it("retries a method that a subclass inherits, with the subclass's instance", async () => {
    class Api {
      readonly url: string = "/";
      @Retry(instant)
      async load(): Promise<string> {
        failOnce();
        return this.url;
      }
    }
    class Users extends Api {
      override readonly url = "/users";
    }

    expect(await new Users().load()).toBe("/users");
  });

  it("retries a super call inside an override that is not retried", async () => {
    const overrides = vi.fn();
    class Api {
      readonly url: string = "/";
      @Retry(instant)
      async load(id: string): Promise<string> {
        failOnce();
        return this.url + id;
      }
    }
    class Users extends Api {
      override readonly url = "/users/";
      override async load(id: string): Promise<string> {
        overrides();
        return `<${await super.load(id)}>`;
      }
    }

    expect(await new Users().load("42")).toBe("</users/42>");
    expect(overrides).toHaveBeenCalledTimes(1);
  });

  it("lets a retried method make a super call", async () => {
    class Api {
      readonly url: string = "/users/";
      async load(id: string): Promise<string> {
        return this.url + id;
      }
    }
    class Retried extends Api {
      @Retry(instant)
      override async load(id: string): Promise<string> {
        failOnce();
        return super.load(id);
      }
    }

    expect(await new Retried().load("42")).toBe("/users/42");
  });

  it("keeps the calls of two instances apart", async () => {
    const clock = virtualClock();
    const log: unknown[] = [];
    class Api {
      constructor(readonly failures: number) {}
      @Retry({ wait: waitFixed(10), clock })
      async load(): Promise<number> {
        const { attempt, previousError } = currentAttempt();
        log.push([this.failures, attempt, previousError]);
        if (attempt <= this.failures) throw this;
        return attempt;
      }
    }
    const [one, two] = [new Api(1), new Api(2)];

    const both = Promise.all([one.load(), two.load()]);
    await clock.runAll();

    expect(await both).toEqual([2, 3]);
    expect(log).toEqual([
      [1, 1, undefined],
      [2, 1, undefined],
      [1, 2, one],
      [2, 2, two],
      [2, 3, two],
    ]);
  });

  it("asks an options function about each call, with its `this` and arguments", async () => {
    const asked: unknown[] = [];
    class Api {
      constructor(readonly limit: number) {}
      @Retry(function (this: Api, ...args: unknown[]) {
        asked.push([this, ...args]);
        return { ...instant, stop: stopAfterAttempt(this.limit) };
      })
      async load(id: string): Promise<string> {
        throw `${id}: ${currentAttempt().attempt} of ${this.limit}`;
      }
    }
    const [one, two] = [new Api(1), new Api(2)];

    await expect(one.load("a")).rejects.toBe("a: 1 of 1");
    await expect(two.load("b")).rejects.toBe("b: 2 of 2");
    expect(asked).toEqual([
      [one, "a"],
      [two, "b"],
    ]);
  });

  it("shows the method its attempt", async () => {
    const controller = new AbortController();
    class Api {
      @Retry({ ...instant, signal: controller.signal })
      async load(): Promise<unknown> {
        const { attempt, signal, previousError } = currentAttempt();
        if (attempt === 1) throw busy;
        controller.abort("enough");
        aborted.push(signal.reason);
        return previousError;
      }
    }
    const aborted: unknown[] = [];

    await expect(new Api().load()).rejects.toBe("enough");
    expect(aborted).toEqual(["enough"]);
  });

  it("shows the method what the attempt before it threw", async () => {
    class Api {
      @Retry(instant)
      async load(): Promise<unknown> {
        failOnce();
        return currentAttempt().previousError;
      }
    }

    expect(await new Api().load()).toBe(busy);
  });

  it("rejects with the last attempt's own error", async () => {
    class Api {
      calls = 0;
      @Retry(instant)
      async load(): Promise<void> {
        this.calls++;
        throw busy;
      }
    }
    const api = new Api();

    await expect(api.load()).rejects.toBe(busy);
    expect(api.calls).toBe(4);
  });

  it("does not multiply where it is stacked: the outer one leaves alone what the inner one gave up on", async () => {
    class Api {
      calls = 0;
      @Retry({ ...instant, stop: stopAfterAttempt(5) })
      @Retry({ ...instant, stop: stopAfterAttempt(3) })
      async load(): Promise<void> {
        this.calls++;
        throw busy;
      }
    }
    const api = new Api();

    await expect(api.load()).rejects.toBe(busy);
    expect(api.calls).toBe(3);
  });

  it("retries outside, where it is stacked, what the inner one does not want", async () => {
    const outer: number[] = [];
    class Api {
      @Retry({ ...instant, onRetry: (state) => outer.push(state.attempt) })
      @Retry({ ...instant, retryIf: retryIfError((error) => error !== busy) })
      async load(): Promise<string> {
        if (outer.length < 2) throw busy;
        return "42";
      }
    }

    expect(await new Api().load()).toBe("42");
    expect(outer).toEqual([1, 2]);
  });

  it("checks its options where the class is defined", () => {
    const define = () => {
      class Api {
        @Retry({ attemptTimeout: -1 })
        async load(): Promise<void> {}
      }
      return Api;
    };

    expect(define).toThrow(/^@?[Rr]etry: attemptTimeout must be a number of ms above 0, or a function, got -1$/);
  });
});

describe("@RetrySync", () => {
  it("retries an instance method with its own `this` and arguments", () => {
    const seen: unknown[] = [];
    class Config {
      @RetrySync(instant)
      read(...args: unknown[]): unknown {
        seen.push(this, args);
        failOnce();
        return args[0];
      }
    }
    const config = new Config();

    expect(config.read("42", true)).toBe("42");
    expect(seen).toEqual([config, ["42", true], config, ["42", true]]);
    expect(seen[2]).toBe(config);
  });

  it("retries a static method with the class as its `this`", () => {
    class Config {
      readonly path = "/";
      @RetrySync(instant)
      static read(key: string): unknown[] {
        failOnce();
        return [this, key];
      }
    }

    expect(Config.read("42")).toEqual([Config, "42"]);
  });

  it("keeps the method's name and length", () => {
    class Config {
      @RetrySync()
      read(_key: string, _fresh: boolean): void {}
    }

    expect(Config.prototype.read.name).toBe("read");
    expect(Config.prototype.read).toHaveLength(2);
  });

  it("retries an inherited method and a super call", () => {
    class Config {
      readonly path: string = "/";
      @RetrySync(instant)
      read(key: string): string {
        failOnce();
        return this.path + key;
      }
    }
    class UserConfig extends Config {
      override readonly path = "~/";
      override read(key: string): string {
        return `<${super.read(key)}>`;
      }
    }

    expect(new UserConfig().read("42")).toBe("<~/42>");
  });

  it("asks an options function about each call, with its `this` and arguments", () => {
    const asked: unknown[] = [];
    class Config {
      constructor(readonly limit: number) {}
      @RetrySync(function (this: Config, ...args: unknown[]) {
        asked.push([this, ...args]);
        return { ...instant, stop: stopAfterAttempt(this.limit) };
      })
      read(key: string): string {
        throw `${key}: ${currentAttempt().attempt} of ${this.limit}`;
      }
    }
    const [one, two] = [new Config(1), new Config(2)];

    expect(() => one.read("a")).toThrow("a: 1 of 1");
    expect(() => two.read("b")).toThrow("b: 2 of 2");
    expect(asked).toEqual([
      [one, "a"],
      [two, "b"],
    ]);
  });

  it("sleeps between the attempts", () => {
    const clock = virtualClock();
    class Config {
      @RetrySync({ wait: waitFixed(50), clock })
      read(): number {
        failOnce();
        return clock.now();
      }
    }

    expect(new Config().read()).toBe(50);
  });

  it("checks its options as a sync policy's where the class is defined", () => {
    const retrySync = RetrySync as (options: object) => ReturnType<typeof RetrySync>;
    const define = () => {
      class Config {
        @retrySync({ attemptTimeout: 100 })
        read(): void {}
      }
      return Config;
    };

    expect(define).toThrow(/^@?[Rr]etrySync: there is no option "attemptTimeout"; allowed are /);
  });

  it("throws where a method turns out to return a promise, whose rejection is nobody's", () => {
    class Config {
      @RetrySync(instant)
      read(): unknown {
        return Promise.reject(busy);
      }
    }

    expect(() => new Config().read()).toThrow(
      new TypeError("retrySync: fn must not return a promise; use retry, runWithRetry or @Retry instead"),
    );
  });
});

describe.each([
  ["@Retry", Retry],
  ["@RetrySync", RetrySync],
] as const)("%s", (owner, decorator) => {
  // Most of these do not compile either.
  const decorate = decorator as unknown as () => (...args: any[]) => any;
  const noMethod = (what: string) =>
    new TypeError(
      `${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${owner === "@Retry" ? "retry" : "retrySync"}()`,
    );
  const generator = new TypeError(`${owner}: fn must not be a generator function: wrap a function that consumes it`);
  it("refuses a generator method", () => {
    expect(() => {
      class Api {
        @decorate()
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
        @decorate()
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
        @decorate()
        load = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("load is a field"));
  });
});

it("refuses an async method under @RetrySync", () => {
  const retrySync = RetrySync as unknown as () => (...args: any[]) => any;

  expect(() => {
    class Config {
      @retrySync()
      async read() {}
    }
    return Config;
  }).toThrow(new TypeError("@RetrySync: fn must not be an async function, use retry, runWithRetry or @Retry instead"));
});

it.each([
  ["@Retry", Retry],
  ["@RetrySync", RetrySync],
] as const)("%s without its parentheses is refused when the class is defined", (owner, decorator) => {
  // It does not compile either.
  const bare = decorator as unknown as (...args: any[]) => any;

  expect(() => {
    class Api {
      @bare
      load() {
        return 1;
      }
    }
    return Api;
  }).toThrow(`${owner} needs its parentheses: write ${owner}()`);
});
