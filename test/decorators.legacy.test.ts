import "reflect-metadata";
import { Retry, RetrySync } from "undaunted";
import { describe, expect, it } from "vitest";

/** Puts metadata on the method itself, as frameworks do. */
function metadata(key: unknown, value: unknown) {
  return (_target: object, _key: string | symbol, descriptor: PropertyDescriptor) => {
    Reflect.defineMetadata(key, value, descriptor.value);
    return descriptor;
  };
}

describe("@Retry", () => {
  it("takes the descriptor as another decorator left it", () => {
    const frozen = (_target: object, _key: string | symbol, descriptor: PropertyDescriptor) => ({
      ...descriptor,
      enumerable: true,
      writable: false,
    });
    class Api {
      @Retry()
      @frozen
      async load(): Promise<void> {}
    }

    expect(Object.getOwnPropertyDescriptor(Api.prototype, "load")).toMatchObject({ enumerable: true, writable: false });
  });
});

describe("metadata", () => {
  const symbol = Symbol("roles");
  it("keeps a method's metadata where @Retry stands above the decorator that put it there", () => {
    class Api {
      @Retry()
      @metadata("path", "/users")
      @metadata(symbol, ["admin"])
      async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.prototype.load)).toBe("/users");
    expect(Reflect.getMetadata(symbol, Api.prototype.load)).toEqual(["admin"]);
    expect(Reflect.getOwnMetadataKeys(Api.prototype.load)).toEqual([symbol, "path"]);
  });

  it("keeps a method's metadata where @Retry stands below the decorator that put it there", () => {
    class Api {
      @metadata("path", "/users")
      @Retry()
      async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.prototype.load)).toBe("/users");
  });

  it("keeps a method's metadata where @Retry stands between decorators, twice", () => {
    class Api {
      @metadata("path", "/users")
      @Retry()
      @metadata("roles", ["admin"])
      @Retry()
      @metadata("cached", true)
      async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.prototype.load)).toBe("/users");
    expect(Reflect.getMetadata("roles", Api.prototype.load)).toEqual(["admin"]);
    expect(Reflect.getMetadata("cached", Api.prototype.load)).toBe(true);
  });

  it("keeps a static method's metadata", () => {
    class Api {
      readonly url = "/";
      @Retry()
      @metadata("path", "/users")
      static async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.load)).toBe("/users");
  });

  it("keeps a sync method's metadata in either order", () => {
    class Config {
      @metadata("path", "/etc")
      @RetrySync()
      @metadata("cached", true)
      read(): void {}
    }

    expect(Reflect.getMetadata("path", Config.prototype.read)).toBe("/etc");
    expect(Reflect.getMetadata("cached", Config.prototype.read)).toBe(true);
  });

  it("leaves the metadata of the types on the class", () => {
    class Api {
      @Retry()
      async load(_id: string, _fresh: boolean): Promise<string> {
        return "";
      }
      @RetrySync()
      read(_key: string): number {
        return 1;
      }
      @Retry()
      static async shared(_id: Date): Promise<void> {}
    }

    expect(Reflect.getMetadata("design:type", Api.prototype, "load")).toBe(Function);
    expect(Reflect.getMetadata("design:paramtypes", Api.prototype, "load")).toEqual([String, Boolean]);
    expect(Reflect.getMetadata("design:returntype", Api.prototype, "load")).toBe(Promise);
    expect(Reflect.getMetadata("design:paramtypes", Api.prototype, "read")).toEqual([String]);
    expect(Reflect.getMetadata("design:returntype", Api.prototype, "read")).toBe(Number);
    expect(Reflect.getMetadata("design:paramtypes", Api, "shared")).toEqual([Date]);
  });

  it("copies metadata: what is put on the wrapped method afterwards stays off the method's own", () => {
    let own: object = {};
    const remember = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
      own = descriptor.value;
    };
    class Api {
      @metadata("path", "/users")
      @Retry()
      @remember
      @metadata("roles", ["admin"])
      async load(): Promise<void> {}
    }

    expect(Reflect.getMetadata("path", Api.prototype.load)).toBe("/users");
    expect(Reflect.getOwnMetadataKeys(own)).toEqual(["roles"]);
  });

  it("keeps what else another decorator put on the method", () => {
    const route = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
      descriptor.value.route = "/users";
    };
    class Api {
      @Retry()
      @route
      async load(): Promise<void> {}
    }

    expect(Api.prototype.load).toHaveProperty("route", "/users");
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
  it("refuses a static field", () => {
    expect(() => {
      class Api {
        readonly url = "/";
        @decorate()
        static load = async () => 1;
      }
      return Api;
    }).toThrow(noMethod("load is a field"));
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
    }).toThrow(noMethod("load is a getter or setter"));
  });

  it("refuses a setter", () => {
    expect(() => {
      class Api {
        @decorate()
        set load(_fn: () => void) {}
      }
      return Api;
    }).toThrow(noMethod("load is a getter or setter"));
  });

  it("refuses a class", () => {
    expect(() => {
      @decorate()
      class Api {}
      return Api;
    }).toThrow(noMethod("this is a class or a constructor"));
  });

  // Called as the compiler calls them: not every tool can read a decorated parameter.
  it("refuses a method's parameter", () => {
    class Api {
      async load(_id: string) {}
    }

    expect(() => decorate()(Api.prototype, "load", 0)).toThrow(noMethod("load is a parameter"));
  });

  it("refuses a constructor's parameter", () => {
    class Api {}

    expect(() => decorate()(Api, undefined, 0)).toThrow(noMethod("this is a class or a constructor"));
  });
});
