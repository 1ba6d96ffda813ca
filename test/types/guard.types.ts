import {
  type BulkheadOptions,
  bulkhead,
  circuitBreaker,
  type GuardWrap,
  Retry,
  type RetryOptions,
  retry,
  retrySync,
  stopAfterAttempt,
} from "undaunted";
import { expectTypeOf } from "vitest";

// Compiled in both decorator modes, never run.

interface Job {
  readonly id: string;
  readonly done: boolean;
}

const slots = bulkhead({ limit: 2 });
const breaker = circuitBreaker();
const policy: RetryOptions = { stop: stopAfterAttempt(3) };
const { wrap } = slots;
const key = Symbol("key");

expectTypeOf(slots.wrap).toEqualTypeOf<GuardWrap>();
expectTypeOf(breaker.wrap).toEqualTypeOf<GuardWrap>();

// Methods of every kind keep their types.
export class Methods {
  readonly limit = 3;

  @slots.wrap
  async plain(id: string, fresh?: boolean): Promise<Job> {
    return { id, done: fresh ?? false };
  }

  @wrap
  async detached(): Promise<void> {}

  @slots.wrap
  async rest(this: Methods, first: number, ...more: string[]): Promise<number> {
    return first + more.length + this.limit;
  }

  @slots.wrap
  async generic<T>(value: T): Promise<T> {
    return value;
  }

  overloaded(path: string): Promise<Uint8Array>;
  overloaded(path: string, encoding: "utf8"): Promise<string>;
  @slots.wrap
  async overloaded(path: string, encoding?: "utf8"): Promise<Uint8Array | string> {
    return encoding ? path : new Uint8Array();
  }

  @slots.wrap
  promising() {
    return Promise.resolve(this.limit);
  }

  @slots.wrap
  async anything(): Promise<any> {}

  @slots.wrap
  static async shared(id: string): Promise<string> {
    return id + this.name;
  }

  @slots.wrap
  async [key](): Promise<void> {}

  @slots.wrap
  protected async hidden(): Promise<void> {}

  @Retry(policy)
  @slots.wrap
  @breaker.wrap
  async stacked(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry({ fallback: () => ({ id: "0", done: true }) })
  @slots.wrap
  static async stackedShared(id: string): Promise<Job> {
    return { id, done: true };
  }

  @breaker.wrapSync
  read(id: string, fresh?: boolean): Job {
    return { id, done: fresh ?? false };
  }

  @breaker.wrapSync
  readGeneric<T>(value: T): T {
    return value;
  }

  @breaker.wrapSync
  static readShared(): string {
    return this.name;
  }

  @breaker.wrapSync
  parse(text: string): any {
    return JSON.parse(text);
  }
}

expectTypeOf(new Methods().plain).toEqualTypeOf<(id: string, fresh?: boolean) => Promise<Job>>();
expectTypeOf(new Methods().stacked).toEqualTypeOf<(id: string) => Promise<Job>>();

// A method of the wrong colour.
export class WrongColour {
  // @ts-expect-error a sync method would begin to return promises
  @slots.wrap
  sync(): number {
    return 1;
  }

  // @ts-expect-error also a static one
  @slots.wrap
  static sync(): number {
    return 1;
  }

  // @ts-expect-error one that returns nothing
  @slots.wrap
  syncVoid(): void {}

  // @ts-expect-error one that may return a promise
  @slots.wrap
  sometimes(): number | Promise<number> {
    return 1;
  }

  // @ts-expect-error also a breaker's: use @wrapSync
  @breaker.wrap
  syncUnderBreaker(): number {
    return 1;
  }

  // @ts-expect-error an async method: use @wrap
  @breaker.wrapSync
  async later(): Promise<number> {
    return 1;
  }

  // @ts-expect-error also one that returns a promise now and then
  @breaker.wrapSync
  perhapsLater(): number | Promise<number> {
    return 1;
  }
}

// Not a method.
export class NoMethods {
  // @ts-expect-error a field is no method
  @slots.wrap
  field = async (): Promise<number> => 1;

  // @ts-expect-error a getter is no method
  @slots.wrap
  get getter(): number {
    return 1;
  }

  // @ts-expect-error a generator method returns no promise
  @slots.wrap
  *generator(): Generator<number> {
    yield 1;
  }

  // @ts-expect-error an async generator method returns no promise
  @slots.wrap
  async *asyncGenerator(): AsyncGenerator<number> {
    yield 1;
  }

  // @ts-expect-error a decorator is the function itself, not what a call of it returns
  @slots.wrap()
  async called(): Promise<void> {}
}

// @ts-expect-error a class is no method
@slots.wrap
export class Decorated {}

// Functions.
const load = async (id: string, fresh?: boolean): Promise<Job> => ({ id, done: fresh ?? false });
async function identity<T>(value: T): Promise<T> {
  return value;
}
function ofThis(this: Methods, n: number): number {
  return this.limit + n;
}

expectTypeOf(slots.wrap(load)).toEqualTypeOf<typeof load>();
expectTypeOf(slots.wrap(identity)(42 as const)).toEqualTypeOf<Promise<42>>();
expectTypeOf(slots.wrap(identity)<Job>).toEqualTypeOf<(value: Job) => Promise<Job>>();
expectTypeOf(slots.wrap((n: number) => n * 2)).toEqualTypeOf<(n: number) => Promise<number>>();
expectTypeOf(slots.wrap(ofThis)).toEqualTypeOf<(this: Methods, n: number) => Promise<number>>();
expectTypeOf(retry(slots.wrap(breaker.wrap(load)))("42")).toEqualTypeOf<Promise<Job>>();

// @ts-expect-error the arguments are the function's own
slots.wrap(load)(42);

// @ts-expect-error what is no function cannot be wrapped
slots.wrap(42);

// Blocks.
expectTypeOf(slots.run(() => load("42"))).toEqualTypeOf<Promise<Job>>();
expectTypeOf(slots.run(() => 42)).toEqualTypeOf<Promise<number>>();

// @ts-expect-error a block has no arguments
slots.run(load);

// Options.
expectTypeOf<BulkheadOptions["queue"]>().toEqualTypeOf<number | undefined>();

// @ts-expect-error a bulkhead has a limit
bulkhead();

// @ts-expect-error a bulkhead has a limit
bulkhead({});

// @ts-expect-error no such option
bulkhead({ limit: 1, size: 2 });

bulkhead({ limit: 1, queue: undefined, onRefused: ({ name, error }) => `${name}: ${error.code}` });

// @ts-expect-error only looked at
slots.inFlight = 0;

// A guard hands on a function, not what else it carries: a retry's `with` and `stats` are the retry's own.
const retried = retry(async (id: string) => id.length);
expectTypeOf(slots.wrap(retried)).toEqualTypeOf<(id: string) => Promise<number>>();
// @ts-expect-error there is none
slots.wrap(retried).stats;
// @ts-expect-error there is none
breaker.wrapSync(retrySync((id: string) => id.length)).with;

// Detached, as `map` calls it.
expectTypeOf([async (id: string) => id.length].map(slots.wrap)).toBeArray();
