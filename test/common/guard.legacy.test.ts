import "reflect-metadata";
import { bulkhead, circuitBreaker } from "undaunted";
import { describe, expect, it } from "vitest";

const guards = [
  ["bulkhead", () => bulkhead({ limit: 1 })],
  ["circuitBreaker", () => circuitBreaker()],
] as const;

describe.each(guards)("@wrap of a %s", (_, guard) => {
  it("keeps the metadata of the method", () => {
    const { wrap } = guard();
    const path = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
      Reflect.defineMetadata("path", "/users", descriptor.value);
    };
    class Api {
      @wrap
      @path
      async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.prototype.load)).toBe("/users");
  });

  it("guards a method under a symbol", async () => {
    const { wrap } = guard();
    const key = Symbol("load");
    class Api {
      @wrap
      async [key](): Promise<number> {
        return 42;
      }
    }

    expect(await new Api()[key]()).toBe(42);
    expect(new Api()[key].name).toBe("[load]");
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
  it("refuses a static field", () => {
    expect(() => {
      class Api {
        readonly url = "/";
        @decorate
        static load = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("load is a field"));
  });

  it("refuses a field under a symbol", () => {
    const key = Symbol("load");

    expect(() => {
      class Api {
        @decorate
        [key] = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("Symbol(load) is a field"));
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
    }).toThrow(noMethod("load is a getter or setter"));
  });

  // Called as the compiler calls it: not every tool can read a decorated parameter.
  it("refuses a method's parameter", () => {
    class Api {
      async load(_id: string) {}
    }

    expect(() => decorate(Api.prototype, "load", 0)).toThrow(noMethod("load is a parameter"));
  });
});
