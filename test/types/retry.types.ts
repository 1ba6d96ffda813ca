import { type Retried, type RetryOptions, type RetryStats, retry, retryNever, runWithRetry } from "undaunted";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

interface User {
  readonly id: string;
}

it("is of the function's own type where that returns a plain promise", () => {
  const fetchUser = async (id: string, fresh?: boolean): Promise<User> => ({ id: `${id}${fresh}` });
  const getUser = retry(fetchUser);

  const same: typeof fetchUser = getUser;
  expectTypeOf(same).toEqualTypeOf(fetchUser);
  expectTypeOf(getUser("42")).toEqualTypeOf<Promise<User>>();
  expectTypeOf(getUser("42", true)).toEqualTypeOf<Promise<User>>();
  // @ts-expect-error the first parameter is required
  getUser();
  // @ts-expect-error the first parameter is a string
  getUser(42);
  // @ts-expect-error there is no third parameter
  getUser("42", true, 1);
});

it("keeps generics open", () => {
  const identity = async <T>(value: T): Promise<T> => value;
  const retried = retry(identity);

  expectTypeOf(retried("a" as const)).toEqualTypeOf<Promise<"a">>();
  expectTypeOf(retried<number>(1)).toEqualTypeOf<Promise<number>>();

  const pick = async <T, K extends keyof T>(from: T, key: K): Promise<T[K]> => from[key];
  expectTypeOf(retry(pick)({ a: 1, b: "x" }, "b")).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error "c" is no key
  retry(pick)({ a: 1, b: "x" }, "c");
});

it("keeps overloads apart", () => {
  function read(path: string): Promise<Uint8Array>;
  function read(path: string, encoding: "utf8"): Promise<string>;
  async function read(path: string, encoding?: "utf8"): Promise<Uint8Array | string> {
    return encoding ? path : new Uint8Array();
  }
  const retried = retry(read);

  expectTypeOf(retried("a")).toEqualTypeOf<Promise<Uint8Array>>();
  expectTypeOf(retried("a", "utf8")).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error no overload takes this encoding
  retried("a", "latin1");
});

it("asks for the function's `this`", () => {
  class Client {
    readonly url = "";
  }
  async function load(this: Client, path: string): Promise<string> {
    return this.url + path;
  }
  const retried = retry(load);

  expectTypeOf(retried.call(new Client(), "/")).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error a bare call has no Client for `this`
  retried("/");
  class Api extends Client {
    load = retry(load);
  }
  expectTypeOf(new Api().load("/")).toEqualTypeOf<Promise<string>>();
});

it("keeps rest parameters", () => {
  const sum = async (first: number, ...rest: number[]): Promise<number> => rest.reduce((a, b) => a + b, first);
  const retried = retry(sum);

  expectTypeOf(retried).parameters.toEqualTypeOf<[first: number, ...rest: number[]]>();
  expectTypeOf(retried(1, 2, 3)).toEqualTypeOf<Promise<number>>();
});

it("makes a sync function return a promise and keeps its parameters and its `this`", () => {
  class Parser {
    readonly radix = 10;
  }
  function parse(this: Parser, text: string, ...more: string[]): number {
    return Number.parseInt(text + more, this.radix);
  }
  const retried = retry(parse);

  expectTypeOf(retried.call(new Parser(), "1", "2")).toEqualTypeOf<Promise<number>>();
  expectTypeOf(retried).parameters.toEqualTypeOf<[text: string, ...more: string[]]>();
  expectTypeOf<ThisParameterType<typeof retried>>().toEqualTypeOf<Parser>();
  expectTypeOf(retry(() => 1)()).toEqualTypeOf<Promise<number>>();
  expectTypeOf(
    retry((flag: boolean): number | Promise<string> => (flag ? 1 : Promise.resolve("a")))(true),
  ).toEqualTypeOf<Promise<number | string>>();
});

it("gives a plain promise in place of a cancelable one or a query", () => {
  interface CancelablePromise<T> extends Promise<T> {
    cancel(): void;
  }
  interface Query<T> {
    where(condition: string): Query<T>;
    then<A, B>(
      onValue?: ((value: T[]) => A | PromiseLike<A>) | null,
      onError?: ((error: unknown) => B | PromiseLike<B>) | null,
    ): PromiseLike<A | B>;
  }
  const cancelable = retry((id: string) => id as unknown as CancelablePromise<User>);
  const query = retry((table: string) => table as unknown as Query<User>);

  expectTypeOf(cancelable("42")).toEqualTypeOf<Promise<User>>();
  expectTypeOf(query("users")).toEqualTypeOf<Promise<User[]>>();
  // @ts-expect-error the promise of a retried call cannot be canceled
  cancelable("42").cancel();
  // @ts-expect-error the promise of a retried call is no query
  query("users").where("");
});

it("takes functions of any, never and void, and nothing that cannot be called", () => {
  expectTypeOf(retry(async (): Promise<never> => Promise.reject(1))()).toEqualTypeOf<Promise<never>>();
  expectTypeOf(retry((): any => 1)()).toEqualTypeOf<any>();
  expectTypeOf(retry(async (): Promise<any> => 1)()).toEqualTypeOf<Promise<any>>();
  expectTypeOf(retry(async () => {})()).toEqualTypeOf<Promise<void>>();
  // @ts-expect-error a value that cannot be called
  retry(42);
  // @ts-expect-error a class is made with `new`
  retry(class {});
});

it("types `with` by the function and makes `stats` readonly", () => {
  const getUser = retry(async (id: string): Promise<User> => ({ id }));

  expectTypeOf(getUser.stats).toEqualTypeOf<RetryStats>();
  expectTypeOf(getUser.stats.retries).toEqualTypeOf<number>();
  // @ts-expect-error the counters are the library's
  getUser.stats.calls = 0;
  // @ts-expect-error and so is the object
  getUser.stats = retry(() => 1).stats;

  const patient = getUser.with({ retryIf: retryNever });
  expectTypeOf(patient).toEqualTypeOf<Retried<(id: string) => Promise<User>>>();
  expectTypeOf(patient.with({}).with({})("42")).toEqualTypeOf<Promise<User>>();
  getUser.with({ fallback: () => ({ id: "0" }), onSuccess: (state) => state.outcome.ok && state.outcome.value.id });
  // @ts-expect-error the fallback must return a User
  getUser.with({ fallback: () => 1 });
  // @ts-expect-error no such option
  getUser.with({ retries: 1 });
  // @ts-expect-error with() takes options, not a function of the call
  getUser.with(() => ({}));

  const generic = retry(async <T>(value: T): Promise<T> => value).with({});
  expectTypeOf(generic("a" as const)).toEqualTypeOf<Promise<"a">>();
  expectTypeOf(retry(() => 1).with({})()).toEqualTypeOf<Promise<number>>();
});

it("has a function's name and length", () => {
  const getUser = retry(async (id: string): Promise<User> => ({ id }));

  expectTypeOf(getUser.name).toEqualTypeOf<string>();
  expectTypeOf(getUser.length).toEqualTypeOf<number>();
});

it("keeps what else the function carries", () => {
  const tagged = Object.assign(async (): Promise<number> => 1, { topic: "users" as const });

  expectTypeOf(retry(tagged).topic).toEqualTypeOf<"users">();
});

it("gives an options function the call's `this` and arguments", () => {
  class Tenant {
    readonly limit = 3;
  }
  async function load(this: Tenant, id: string, signal?: AbortSignal): Promise<User> {
    return { id: `${id}${this.limit}${signal}` };
  }

  retry(load, function (id, signal) {
    expectTypeOf(this).toEqualTypeOf<Tenant>();
    expectTypeOf(id).toEqualTypeOf<string>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal | undefined>();
    return { signal, name: id, stop: (state) => state.attempt >= this.limit };
  });
  retry(load, (_id, signal) => ({ signal }));
  retry(load, () => ({ fallback: () => ({ id: "0" }) }));
  // @ts-expect-error the fallback must return a User
  retry(load, () => ({ fallback: () => 1 }));
  // @ts-expect-error the function takes a string first
  retry(load, (id: number) => ({ name: String(id) }));
  // @ts-expect-error options come at once, not by a promise
  retry(load, async () => ({}));
});

it("infers what a block gives", () => {
  expectTypeOf(runWithRetry(async () => 1)).toEqualTypeOf<Promise<number>>();
  expectTypeOf(runWithRetry(() => "a")).toEqualTypeOf<Promise<string>>();
  expectTypeOf(runWithRetry(() => {})).toEqualTypeOf<Promise<void>>();
  expectTypeOf(
    runWithRetry(({ attempt, signal, previousError }) => {
      expectTypeOf(attempt).toEqualTypeOf<number>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(previousError).toEqualTypeOf<unknown>();
      return attempt > 1 ? Promise.resolve("late") : null;
    }),
  ).toEqualTypeOf<Promise<string | null>>();
  expectTypeOf(runWithRetry(async () => 1, { fallback: () => 2 })).toEqualTypeOf<Promise<number>>();
  // @ts-expect-error the fallback must return what the task does
  runWithRetry(async () => 1, { fallback: () => "two" });
  const forCall = (): RetryOptions => ({});
  // @ts-expect-error a block has no arguments that its options could depend on
  runWithRetry(async () => 1, forCall);
});
