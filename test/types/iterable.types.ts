import { bulkhead, circuitBreaker, retryBudget } from "undaunted";
import { currentOpening, type Opening, type RetriedIterable, RetryIterable, retryIterable } from "undaunted/iterable";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

interface Row {
  readonly id: number;
}

it("gives a stream of what its sources have", () => {
  const rows = retryIterable(async function* () {
    yield { id: 1 } as Row;
  });
  expectTypeOf(rows).toEqualTypeOf<RetriedIterable<Row>>();
  expectTypeOf(rows).toExtend<AsyncIterable<Row>>();
  expectTypeOf(rows).toExtend<AsyncGenerator<Row>>();
  expectTypeOf(rows.stats.attempts).toEqualTypeOf<number>();
});

it("takes iterables, web streams and promises of them", () => {
  expectTypeOf(retryIterable(() => ["a"])).toEqualTypeOf<RetriedIterable<string>>();
  expectTypeOf(retryIterable(async () => new Set([1]))).toEqualTypeOf<RetriedIterable<number>>();
  expectTypeOf(retryIterable(async () => new ReadableStream<Row>())).toEqualTypeOf<RetriedIterable<Row>>();
  // @ts-expect-error a number cannot be read from
  retryIterable(() => 5);
});

it("says in an opening where the last source broke", () => {
  retryIterable(async function* (opening: Opening<Row>) {
    expectTypeOf(opening.last).toEqualTypeOf<Row | undefined>();
    expectTypeOf(opening.count).toEqualTypeOf<number>();
    expectTypeOf(opening.signal).toEqualTypeOf<AbortSignal>();
    yield { id: (opening.last?.id ?? 0) + 1 };
  });
  expectTypeOf(currentOpening<Row>().last).toEqualTypeOf<Row | undefined>();
});

it("takes a policy of streams", () => {
  retryIterable(async () => [1], {
    guards: [bulkhead({ limit: 1 }), circuitBreaker({ consecutiveFailures: 1 })],
    budget: retryBudget(),
    onReopen: ({ last, count, delay }) => {
      expectTypeOf(last).toEqualTypeOf<number | undefined>();
      expectTypeOf([count, delay]).toEqualTypeOf<number[]>();
    },
  });
  // @ts-expect-error a stream has no fallback
  retryIterable(async () => [1], { fallback: () => 1 });
  // @ts-expect-error a guard runs tasks
  retryIterable(async () => [1], { guards: [{}] });
});

it("keeps the type of a method that it decorates", () => {
  class Feed {
    @RetryIterable({ attemptTimeout: 1_000 })
    async *items(topic: string): AsyncGenerator<Row> {
      yield { id: topic.length };
    }

    @RetryIterable(function (this: Feed, topic: string) {
      return { name: topic };
    })
    rows(_topic: string): AsyncIterable<Row> {
      return this.items("");
    }

    // @ts-expect-error a method that returns no iterable
    @RetryIterable()
    async load() {
      return 1;
    }
  }
  expectTypeOf(new Feed().items("a")).toEqualTypeOf<AsyncGenerator<Row>>();
  expectTypeOf(new Feed().rows("a")).toEqualTypeOf<AsyncIterable<Row>>();
});
