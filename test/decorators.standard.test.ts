import { currentAttempt, Retry, type RetryOptions, RetrySync } from "undaunted";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");

/** Fails in the first attempt of a call. */
function failOnce(): void {
  if (currentAttempt().attempt === 1) throw busy;
}

describe("@Retry", () => {
  it("retries a private method", async () => {
    class Api {
      readonly #url = "/";
      @Retry(instant)
      async #load(id: string): Promise<string> {
        failOnce();
        return this.#url + id;
      }
      load(id: string): Promise<string> {
        return this.#load(id);
      }
    }

    expect(await new Api().load("42")).toBe("/42");
  });

  it("retries a private static method", async () => {
    class Api {
      readonly url = "/";
      @Retry(instant)
      static async #load(id: string): Promise<unknown[]> {
        failOnce();
        return [this, id];
      }
      static load(id: string): Promise<unknown[]> {
        return Api.#load(id);
      }
    }

    expect(await Api.load("42")).toEqual([Api, "42"]);
  });

  it("calls a private method by its name", async () => {
    const names: string[] = [];
    class Api {
      @Retry({ ...instant, onSuccess: (state) => names.push(state.name) })
      async #load(): Promise<void> {}
      load(): Promise<void> {
        return this.#load();
      }
    }

    await new Api().load();

    expect(names).toEqual(["#load"]);
  });

  it("keeps what another decorator put on the method", () => {
    const route = (method: object) => {
      Object.assign(method, { route: "/users" });
      Object.defineProperty(method, "hidden", { value: 1 });
    };
    class Api {
      @Retry()
      @route
      async load(): Promise<void> {}
    }

    expect(Api.prototype.load).toHaveProperty("route", "/users");
    expect(Object.getOwnPropertyDescriptor(Api.prototype.load, "hidden")).toMatchObject({
      value: 1,
      enumerable: false,
    });
  });
});

describe("@RetrySync", () => {
  it("retries private methods, instance and static", () => {
    class Config {
      readonly #path = "/";
      @RetrySync(instant)
      #read(key: string): string {
        failOnce();
        return this.#path + key;
      }
      @RetrySync(instant)
      static #shared(key: string): unknown[] {
        failOnce();
        return [this, key];
      }
      read(key: string): unknown[] {
        return [this.#read(key), Config.#shared(key)];
      }
    }

    expect(new Config().read("42")).toEqual(["/42", [Config, "42"]]);
  });
});

describe.each([
  ["@Retry", Retry],
  ["@RetrySync", RetrySync],
] as const)("%s", (owner, decorator) => {
  // Most of these do not compile either.
  const decorate = decorator as unknown as (options?: RetryOptions) => (target: unknown, context: object) => void;
  const noMethod = (what: string) =>
    new TypeError(
      `${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${owner === "@Retry" ? "retry" : "retrySync"}()`,
    );
  it("refuses a private field", () => {
    expect(() => {
      class Api {
        @decorate()
        #load = async () => 1;
        load = () => this.#load();
      }
      return Api;
    }).toThrow(noMethod("#load is a field"));
  });

  it("refuses a field under a symbol", () => {
    const key = Symbol("load");

    expect(() => {
      class Api {
        @decorate()
        [key] = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("Symbol(load) is a field"));
  });

  it("refuses an accessor", () => {
    expect(() => {
      class Api {
        @decorate()
        accessor load = async () => 1;
      }
      return Api;
    }).toThrow(/^@Retry(Sync)? decorates methods only, and load is an accessor: make it a method, or wrap/);
  });

  it("refuses a getter", () => {
    expect(() => {
      class Api {
        @decorate()
        get load() {
          return async () => 1;
        }
      }
      return Api;
    }).toThrow(noMethod("load is a getter"));
  });

  it("refuses a setter", () => {
    expect(() => {
      class Api {
        @decorate()
        set load(_fn: () => void) {}
      }
      return Api;
    }).toThrow(noMethod("load is a setter"));
  });

  it("refuses a class", () => {
    expect(() => {
      @decorate()
      class Api {}
      return Api;
    }).toThrow(noMethod("Api is a class"));
  });
});
