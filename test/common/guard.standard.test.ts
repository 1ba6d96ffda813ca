import { bulkhead, circuitBreaker, currentAttempt, Retry } from "undaunted";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");

/** Fails in the first attempt of a call. */
function failOnce(): void {
  if (currentAttempt().attempt === 1) throw busy;
}

const guards = [
  ["bulkhead", () => bulkhead({ limit: 1 })],
  ["circuitBreaker", () => circuitBreaker()],
] as const;

describe.each(guards)("@wrap of a %s", (_, guard) => {
  it("guards private methods, instance and static", async () => {
    const { wrap } = guard();
    class Api {
      readonly #url = "/";
      @wrap
      async #load(id: string): Promise<string> {
        return this.#url + id;
      }
      @wrap
      static async #shared(id: string): Promise<unknown[]> {
        return [this, id];
      }
      async load(id: string): Promise<unknown[]> {
        return [await this.#load(id), await Api.#shared(id)];
      }
    }

    expect(await new Api().load("42")).toEqual(["/42", [Api, "42"]]);
  });

  it("stands under @Retry, on instance, static and private methods, and shows them their attempt", async () => {
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
      @Retry(instant)
      @wrap
      async #hidden(id: string): Promise<unknown> {
        failOnce();
        return [id, currentAttempt().attempt];
      }
      hidden(id: string): Promise<unknown> {
        return this.#hidden(id);
      }
    }

    expect(await new Api().load("a")).toEqual(["a", 2]);
    expect(await Api.shared("b")).toEqual(["b", 2]);
    expect(await new Api().hidden("c")).toEqual(["c", 2]);
  });
});

describe("@wrapSync of a breaker", () => {
  it("guards sync methods: instance, static and private", () => {
    const { wrapSync } = circuitBreaker();
    class Config {
      readonly #path = "/";
      @wrapSync
      read(key: string): string {
        return this.#path + key;
      }
      @wrapSync
      static shared(key: string): unknown[] {
        return [this, key];
      }
      @wrapSync
      #hidden(key: string): string {
        return this.#path + key;
      }
      hidden(key: string): string {
        return this.#hidden(key);
      }
    }

    expect(new Config().read("a")).toBe("/a");
    expect(Config.shared("b")).toEqual([Config, "b"]);
    expect(new Config().hidden("c")).toBe("/c");
  });
});

describe.each([
  ["bulkhead.wrap", bulkhead({ limit: 1 }).wrap],
  ["circuitBreaker.wrap", circuitBreaker().wrap],
  ["circuitBreaker.wrapSync", circuitBreaker().wrapSync],
] as const)("@%s", (owner, wrap) => {
  // Most of these do not compile either.
  const decorate = wrap as unknown as (target: unknown, context: object) => void;
  const noMethod = (what: string) =>
    new TypeError(
      `@${owner} decorates methods only, and ${what}: make it a method, or wrap the function in ${owner}()`,
    );
  it("refuses a private field", () => {
    expect(() => {
      class Api {
        @decorate
        #load = async () => 1;
        load = () => this.#load();
      }
      return Api;
    }).toThrow(noMethod("#load is a field"));
  });

  it("refuses an accessor", () => {
    expect(() => {
      class Api {
        @decorate
        accessor load = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("load is an accessor"));
  });

  it("refuses a getter", () => {
    expect(() => {
      class Api {
        @decorate
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
        @decorate
        set load(_fn: () => void) {}
      }
      return Api;
    }).toThrow(noMethod("load is a setter"));
  });

  it("refuses a class", () => {
    expect(() => {
      @decorate
      class Api {}
      return Api;
    }).toThrow(noMethod("Api is a class"));
  });
});
