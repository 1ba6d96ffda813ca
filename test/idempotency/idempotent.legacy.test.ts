import "reflect-metadata";
import { Idempotent } from "undaunted/idempotency";
import { describe, expect, it } from "vitest";

const byFirst = { key: (first: string) => first };

describe("@Idempotent", () => {
  it("keeps the method's descriptor and metadata", () => {
    const path = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
      Reflect.defineMetadata("path", "/orders", descriptor.value);
    };
    class Shop {
      @Idempotent(byFirst)
      @path
      async order(_key: string): Promise<void> {}
    }

    expect(Object.getOwnPropertyDescriptor(Shop.prototype, "order")).toMatchObject({
      enumerable: false,
      configurable: true,
      writable: true,
    });
    expect(Reflect.getMetadata("path", Shop.prototype.order)).toBe("/orders");
  });
});
