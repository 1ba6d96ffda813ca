// Compiled twice: with standard decorators, and with TypeScript's legacy ones.
import { currentAttempt, waitNone } from "undaunted";
import { currentOpening, RetryIterable } from "undaunted/iterable";
import { describe, expect, it } from "vitest";

describe("@RetryIterable", () => {
  class Feed {
    readonly name = "feed";

    @RetryIterable({ wait: waitNone })
    async *items(from: number, to: number): AsyncGenerator<string> {
      const { last } = currentOpening<string>();
      const attempt = currentAttempt().attempt;
      const start = last === undefined ? from : Number(last.split(" ")[1]) + 1;
      for (let n = start; n <= to; n++) {
        if (n === start + 2) throw new Error("cut");
        yield `${this.name} ${n} ${attempt}`;
      }
    }

    @RetryIterable(function (this: Feed, size: number) {
      return { wait: waitNone, name: `${this.name} of ${size}` };
    })
    static opened(size: number) {
      return Promise.resolve(Array.from({ length: size }, (_, n) => n)) as never as AsyncIterable<number>;
    }
  }

  const collect = async <T>(items: AsyncIterable<T>) => {
    const all: T[] = [];
    for await (const item of items) all.push(item);
    return all;
  };

  it("opens the method again with the call's `this` and arguments, after the last item that got through", async () => {
    expect(await collect(new Feed().items(1, 5))).toEqual(["feed 1 1", "feed 2 1", "feed 3 2", "feed 4 2", "feed 5 2"]);
  });

  it("takes options from a function of the call", async () => {
    expect(await collect(Feed.opened(2))).toEqual([0, 1]);
  });

  it("gives each call a stream of its own, and counts them together", async () => {
    const feed = new Feed();
    const { stats } = feed.items as never as { stats: { calls: number; attempts: number; successes: number } };
    const before = { ...stats };

    await Promise.all([collect(feed.items(1, 3)), collect(feed.items(1, 1))]);

    expect(stats.calls - before.calls).toBe(2);
    expect(stats.attempts - before.attempts).toBe(3);
    expect(stats.successes - before.successes).toBe(2);
  });

  it("keeps the method's name and length", () => {
    expect([Feed.prototype.items.name, Feed.prototype.items.length]).toEqual(["items", 2]);
  });

  it("needs its parentheses", () => {
    expect(() => (RetryIterable as any)(Feed.prototype.items, "items", {})).toThrow("write @RetryIterable()");
  });
});

describe("currentOpening", () => {
  it("throws where nothing is being opened", () => {
    expect(() => currentOpening()).toThrow("currentOpening() is valid only inside a source that is being opened");
  });
});
