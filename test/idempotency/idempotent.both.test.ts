// Compiled twice: with standard decorators, and with TypeScript's legacy ones.
import { currentAttempt, Retry } from "undaunted";
import { IdempotencyInFlightError, Idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");
const byFirst = { key: (first: string) => first };

describe("@Idempotent", () => {
  it("runs an instance method once for each key", async () => {
    class Shop {
      orders = 0;
      @Idempotent(byFirst)
      async order(key: string): Promise<string> {
        return `${key}: order ${++this.orders}`;
      }
    }
    const shop = new Shop();

    expect([await shop.order("a"), await shop.order("a"), await shop.order("b")]).toEqual([
      "a: order 1",
      "a: order 1",
      "b: order 2",
    ]);
  });

  it("takes the key from the instance", async () => {
    class Shop {
      constructor(readonly name: string) {}
      @Idempotent({
        key(this: Shop) {
          return this.name;
        },
      })
      async open(): Promise<string> {
        return this.name;
      }
    }

    expect([await new Shop("north").open(), await new Shop("south").open()]).toEqual(["north", "south"]);
  });

  it("keeps the results of all instances together", async () => {
    class Shop {
      constructor(readonly name: string) {}
      @Idempotent(byFirst)
      async order(_key: string): Promise<string> {
        return this.name;
      }
    }

    expect([await new Shop("north").order("a"), await new Shop("south").order("a")]).toEqual(["north", "north"]);
  });

  it("keeps the results of two methods apart, also where they share the decorator", async () => {
    const once = Idempotent(byFirst);
    class Shop {
      @once
      async order(_key: string): Promise<string> {
        return "ordered";
      }
      @once
      async pay(_key: string): Promise<string> {
        return "paid";
      }
    }
    const shop = new Shop();

    expect([await shop.order("a"), await shop.pay("a")]).toEqual(["ordered", "paid"]);
  });

  it("keeps the results of two methods together where they share a store", async () => {
    const once = Idempotent({ ...byFirst, name: "test", store: memoryIdempotencyStore() });
    class Shop {
      @once
      async order(_key: string): Promise<string> {
        return "ordered";
      }
      @once
      async pay(_key: string): Promise<string> {
        return "paid";
      }
    }
    const shop = new Shop();

    expect([await shop.order("a"), await shop.pay("a")]).toEqual(["ordered", "ordered"]);
  });

  it("runs a static method with its own this", async () => {
    class Shop {
      readonly name = "north";
      @Idempotent(byFirst)
      static async order(_key: string): Promise<boolean> {
        return this === Shop;
      }
    }

    expect(await Shop.order("a")).toBe(true);
  });

  it("stands under @Retry, and shows the method its attempt", async () => {
    class Shop {
      @Retry(instant)
      @Idempotent(byFirst)
      async order(key: string): Promise<unknown> {
        const { attempt } = currentAttempt();
        if (attempt < 3) throw busy;
        return [key, attempt];
      }
    }

    expect(await new Shop().order("a")).toEqual(["a", 3]);
  });

  it("refuses a call while another with its key runs", async () => {
    class Shop {
      @Idempotent(byFirst)
      order(_key: string): Promise<void> {
        return new Promise(() => {});
      }
    }
    const shop = new Shop();
    shop.order("a");

    await expect(shop.order("a")).rejects.toBeInstanceOf(IdempotencyInFlightError);
  });

  it("names itself where an argument cannot be told from another", async () => {
    class Shop {
      @Idempotent({ key: () => "k1" })
      async order(_then: () => void): Promise<void> {}
    }

    await expect(new Shop().order(() => {})).rejects.toThrow("@Idempotent: argument 1 is a function");
  });

  it("keeps the method's name and length", () => {
    class Shop {
      @Idempotent(byFirst)
      async order(_key: string, _item: string): Promise<void> {}
    }

    expect([Shop.prototype.order.name, Shop.prototype.order.length]).toEqual(["order", 2]);
  });
});

describe("@Idempotent on what it cannot decorate", () => {
  // None of these compiles either.
  const decorate = Idempotent(byFirst) as (...args: any[]) => any;
  it("refuses a generator method", () => {
    expect(() => {
      class Shop {
        @decorate
        *pages() {
          yield 1;
        }
      }
      return Shop;
    }).toThrow("@Idempotent: fn must not be a generator function");
  });

  it("refuses a field", () => {
    expect(() => {
      class Shop {
        @decorate
        order = async () => 1;
      }
      return Shop;
    }).toThrow(
      "@Idempotent decorates methods only, and order is a field: make it a method, or wrap the function in idempotent()",
    );
  });
});
