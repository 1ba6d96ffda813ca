import "reflect-metadata";
import { applyDecorators, SetMetadata } from "@nestjs/common";
import { bulkhead, bulkheads, circuitBreaker, circuitBreakers, Retry, RetrySync } from "undaunted";
import { Idempotent } from "undaunted/idempotency";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const busy = new Error("busy");

/** Something that can be called, and counts. */
function service(): { calls: number; work(): string } {
  return {
    calls: 0,
    work() {
      if (++this.calls < 3) throw busy;
      return "done";
    },
  };
}

describe("NestJS' applyDecorators", () => {
  it("applies @Retry", async () => {
    const api = service();
    class Api {
      @applyDecorators(Retry(instant) as MethodDecorator)
      async load() {
        return api.work();
      }
    }

    expect(await new Api().load()).toBe("done");
    expect(api.calls).toBe(3);
  });

  it("applies @Retry to a static method", async () => {
    const api = service();
    class Api {
      readonly url = "/";
      @applyDecorators(Retry(instant) as MethodDecorator)
      static async load() {
        return api.work();
      }
    }

    expect(await Api.load()).toBe("done");
  });

  it("applies @RetrySync", () => {
    const api = service();
    class Api {
      @applyDecorators(RetrySync(instant) as MethodDecorator)
      load() {
        return api.work();
      }
    }

    expect(new Api().load()).toBe("done");
  });

  it("applies @Idempotent", async () => {
    let payments = 0;
    class Api {
      @applyDecorators(Idempotent({ key: (order: string) => order }) as MethodDecorator)
      async pay(_order: string) {
        return ++payments;
      }
    }
    const api = new Api();

    expect([await api.pay("A1"), await api.pay("A1")]).toEqual([1, 1]);
    expect(payments).toBe(1);
  });

  it.each([
    ["circuitBreaker", () => circuitBreaker({ consecutiveFailures: 1 }).wrap],
    ["circuitBreakers", () => circuitBreakers({ consecutiveFailures: 1, key: () => "a" }).wrap],
    ["bulkhead", () => bulkhead({ limit: 1 }).wrap],
    ["bulkheads", () => bulkheads({ limit: 1, key: () => "a" }).wrap],
  ])("applies the wrap of a %s", async (_, wrap) => {
    let calls = 0;
    class Api {
      @applyDecorators(wrap() as MethodDecorator)
      async load() {
        calls++;
        throw busy;
      }
    }
    const api = new Api();

    await Promise.allSettled([api.load(), api.load()]);
    await Promise.allSettled([api.load(), api.load()]);

    // A breaker lets through what begins before it opens, a bulkhead one of each two.
    expect(calls).toBe(2);
  });

  it("applies the wrapSync of a circuitBreaker", () => {
    let calls = 0;
    const { wrapSync } = circuitBreaker({ consecutiveFailures: 1 });
    class Api {
      @applyDecorators(wrapSync as MethodDecorator)
      load(): void {
        calls++;
        throw busy;
      }
    }

    expect(() => new Api().load()).toThrow(busy);
    expect(() => new Api().load()).toThrow("the circuit is open");
    expect(calls).toBe(1);
  });

  it("stacks decorators, the last one innermost, and keeps the metadata that others set", async () => {
    const slots = bulkhead({ limit: 1 });
    const breaker = circuitBreaker({ consecutiveFailures: 2 });
    class Api {
      calls = 0;
      // Decorators that are called by hand are called in the order in which they stand.
      @applyDecorators(
        SetMetadata("before", 1),
        breaker.wrap as MethodDecorator,
        slots.wrap as MethodDecorator,
        Retry(instant) as MethodDecorator,
        SetMetadata("after", 2),
      )
      async load() {
        this.calls++;
        throw busy;
      }
    }
    const api = new Api();

    await expect(api.load()).rejects.toMatchObject({ code: "ERR_CIRCUIT_OPEN" });
    expect(api.calls).toBe(2);
    const { load } = Api.prototype;
    expect([Reflect.getMetadata("before", load), Reflect.getMetadata("after", load)]).toEqual([1, 2]);
  });
});

describe("a legacy decorator that is called by hand", () => {
  const load = async () => "value";
  const decorators = [
    ["@Retry", Retry()],
    ["@RetrySync", RetrySync()],
    ["@Idempotent", Idempotent({ key: () => "a" })],
    ["circuitBreaker.wrap", circuitBreaker().wrap],
    ["bulkhead.wrap", bulkhead({ limit: 1 }).wrap],
  ] as [string, (target: object, key: string, descriptor: PropertyDescriptor) => PropertyDescriptor][];

  it.each(decorators)("%s returns the descriptor that it was given, with the new function in it", (owner, decorate) => {
    const value = owner === "@RetrySync" ? () => 1 : load;
    const given = { value, writable: true, enumerable: false, configurable: true };

    const returned = decorate({}, "load", given);

    expect(returned).toBe(given);
    expect(given).toEqual({ value: expect.any(Function), writable: true, enumerable: false, configurable: true });
    expect(given.value).not.toBe(value);
  });

  it("returns a copy of a descriptor that is frozen", async () => {
    const given = Object.freeze({ value: load, writable: true, enumerable: false, configurable: true });

    const returned = decorators[0]![1]({}, "load", given);

    expect(given.value).toBe(load);
    expect(returned).toEqual({ ...given, value: expect.any(Function) });
    expect(await returned.value()).toBe("value");
  });

  it("wraps once where its result is used as well", async () => {
    class Api {
      async load(): Promise<string> {
        return "value";
      }
    }
    const { wrap } = bulkhead({ limit: 1 });
    const given = Object.getOwnPropertyDescriptor(Api.prototype, "load")!;
    Object.defineProperty(Api.prototype, "load", wrap(Api.prototype, "load", given));

    // A call that took two slots would be refused.
    expect(await new Api().load()).toBe("value");
  });
});
