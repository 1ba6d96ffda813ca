import { Idempotent } from "undaunted/idempotency";
import { describe, expect, it } from "vitest";

const byFirst = { key: (first: string) => first };

describe("@Idempotent", () => {
  it("runs static and private methods with their own this", async () => {
    class Shop {
      @Idempotent(byFirst)
      static async order(_key: string): Promise<boolean> {
        return this === Shop;
      }
      @Idempotent(byFirst)
      async #pay(_key: string): Promise<boolean> {
        return this instanceof Shop;
      }
      pay(key: string): Promise<boolean> {
        return this.#pay(key);
      }
    }

    expect([await Shop.order("a"), await new Shop().pay("a")]).toEqual([true, true]);
  });
});
