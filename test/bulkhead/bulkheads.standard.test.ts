import { AttemptTimeoutError, BulkheadFullError, bulkheads, currentAttempt, Retry, stopAfterAttempt } from "undaunted";
import { instant, virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const never = () => new Promise<never>(() => {});

describe("@wrap of bulkheads by key", () => {
  it("@wrap of bulkheads by key takes the key from the instance, and gives each key slots of its own", async () => {
    const { wrap } = bulkheads({
      key(this: Api) {
        return this.host;
      },
      limit: 1,
    });
    class Api {
      constructor(readonly host: string) {}
      @wrap
      hang(): Promise<void> {
        return never();
      }
      @wrap
      async load(id: string): Promise<string> {
        return this.host + id;
      }
    }
    new Api("a").hang();

    const refused = new Api("a").load("/42");

    await expect(refused).rejects.toBeInstanceOf(BulkheadFullError);
    expect(await new Api("b").load("/42")).toBe("b/42");
  });

  it("@wrap of bulkheads by key takes the key from the arguments of static and private methods", async () => {
    const hosts = bulkheads({ key: (host: string) => host, limit: 1 });
    class Api {
      @hosts.wrap
      static async shared(host: string): Promise<unknown[]> {
        return [this, hosts.get(host).inFlight];
      }
      @hosts.wrap
      async #load(host: string): Promise<unknown[]> {
        return [this, hosts.get(host).inFlight];
      }
      load(host: string): Promise<unknown[]> {
        return this.#load(host);
      }
    }
    const api = new Api();

    expect(await Api.shared("a")).toEqual([Api, 1]);
    expect(await api.load("b")).toEqual([api, 1]);
    expect(hosts.size).toBe(2);
  });

  it("stands under @Retry, and shows the method its attempt", async () => {
    const hosts = bulkheads({ key: (host: string) => host, limit: 1 });
    class Api {
      @Retry(instant)
      @hosts.wrap
      async load(host: string): Promise<unknown> {
        const { attempt } = currentAttempt();
        if (attempt === 1) throw new Error("busy");
        return [host, attempt];
      }
    }

    expect(await new Api().load("a")).toEqual(["a", 2]);
  });

  it("@wrap of bulkheads by key hears of an attempt that timed out: its slot is free", async () => {
    const clock = virtualClock();
    const hosts = bulkheads({ key: (host: string) => host, limit: 1 });
    class Api {
      @Retry({ ...instant, clock, attemptTimeout: 100, stop: stopAfterAttempt(2) })
      @hosts.wrap
      load(_host: string): Promise<void> {
        return never();
      }
    }

    const ended = expect(new Api().load("a")).rejects.toBeInstanceOf(AttemptTimeoutError);
    await clock.advance(200);

    await ended;
    expect(hosts.get("a").inFlight).toBe(0);
  });

  it("refuses a generator method by its own name", () => {
    const { wrap } = bulkheads({ key: () => "a", limit: 1 });
    // It does not compile either.
    const decorate = wrap as unknown as (...args: any[]) => any;

    expect(() => {
      class Api {
        @decorate
        *pages() {
          yield 1;
        }
      }
      return Api;
    }).toThrow("bulkheads.wrap: fn must not be a generator function");
  });
});
