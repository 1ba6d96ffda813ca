import {
  Retry,
  type RetryOptions,
  RetrySync,
  retryIfAny,
  retryIfError,
  retryIfNotResult,
  retryIfResult,
  type SyncRetryOptions,
  stopAfterAttempt,
} from "undaunted";
import { expectTypeOf } from "vitest";

// Compiled in both decorator modes, never run; what holds in one only is in decorators.standard.types.ts and
// decorators.legacy.ts.

interface Job {
  readonly id: string;
  readonly done: boolean;
}

const policy: RetryOptions = { stop: stopAfterAttempt(3) };
const syncPolicy: SyncRetryOptions = { stop: stopAfterAttempt(3) };

const key = Symbol("key");

// Methods of every kind keep their types.
export class Methods {
  readonly limit = 3;

  @Retry()
  async plain(id: string, fresh?: boolean): Promise<Job> {
    return { id, done: fresh ?? false };
  }

  @Retry(policy)
  async rest(this: Methods, first: number, ...more: string[]): Promise<number> {
    return first + more.length + this.limit;
  }

  @Retry(policy)
  async generic<T>(value: T): Promise<T> {
    return value;
  }

  overloaded(path: string): Promise<Uint8Array>;
  overloaded(path: string, encoding: "utf8"): Promise<string>;
  @Retry(policy)
  async overloaded(path: string, encoding?: "utf8"): Promise<Uint8Array | string> {
    return encoding ? path : new Uint8Array();
  }

  @Retry()
  promising() {
    return Promise.resolve(this.limit);
  }

  @Retry()
  async nothing(): Promise<void> {}

  @Retry()
  async anything(): Promise<any> {}

  @Retry(policy)
  static async shared(id: string): Promise<string> {
    return id + this.name;
  }

  @Retry()
  @Retry(policy)
  async stacked(): Promise<number> {
    return 1;
  }

  @Retry(policy)
  async [key](): Promise<void> {}

  @Retry(policy)
  async "with a space"(): Promise<void> {}

  @Retry()
  protected async hidden(): Promise<void> {}

  @RetrySync()
  read(id: string, fresh?: boolean): Job {
    return { id, done: fresh ?? false };
  }

  @RetrySync(syncPolicy)
  readGeneric<T>(value: T): T {
    return value;
  }

  @RetrySync(syncPolicy)
  parse(text: string): any {
    return JSON.parse(text);
  }

  @RetrySync()
  parseUnknown(text: string): unknown {
    return JSON.parse(text);
  }

  @RetrySync(syncPolicy)
  static readShared(): string {
    return this.name;
  }

  @RetrySync()
  readNothing(): void {}
}

// A method of the wrong colour.
export class WrongColour {
  // @ts-expect-error a sync method would begin to return promises: use @RetrySync
  @Retry()
  sync(): number {
    return 1;
  }

  // @ts-expect-error also with options
  @Retry(policy)
  syncWithOptions(): number {
    return 1;
  }

  // @ts-expect-error also a static one
  @Retry()
  static sync(): number {
    return 1;
  }

  // @ts-expect-error a value now and then is not a promise
  @Retry()
  sometimes(): number | Promise<number> {
    return 1;
  }

  // @ts-expect-error an async method: use @Retry
  @RetrySync()
  async later(): Promise<number> {
    return 1;
  }

  // @ts-expect-error also with options
  @RetrySync(syncPolicy)
  async laterWithOptions(): Promise<number> {
    return 1;
  }

  // @ts-expect-error also a static one
  @RetrySync()
  static async later(): Promise<number> {
    return 1;
  }

  // @ts-expect-error also one that returns a promise now and then
  @RetrySync()
  perhapsLater(): number | Promise<number> {
    return 1;
  }

  // @ts-expect-error also one that returns any thenable
  @RetrySync()
  thenable(): PromiseLike<number> {
    return Promise.resolve(1);
  }
}

// Not a method.
export class NoMethods {
  // @ts-expect-error a field is no method
  @Retry()
  field = async (): Promise<number> => 1;

  // @ts-expect-error a getter is no method
  @Retry()
  get getter(): number {
    return 1;
  }

  // @ts-expect-error a generator method returns no promise
  @Retry()
  *generator(): Generator<number> {
    yield 1;
  }

  // @ts-expect-error an async generator method returns no promise
  @Retry()
  async *asyncGenerator(): AsyncGenerator<number> {
    yield 1;
  }

  // @ts-expect-error a field is no method
  @RetrySync()
  syncField = (): number => 1;
}

// @ts-expect-error a class is no method
@Retry()
export class Decorated {}

export class Bare {
  // @ts-expect-error a decorator is made by a call
  @Retry
  async method(): Promise<void> {}
}

// Options know what the method gives.
export class Options {
  @Retry({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) })
  async polled(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry({
    retryIf: retryIfAny(
      retryIfError(),
      retryIfNotResult((job) => job.done),
    ),
  })
  async polledThroughErrors(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry({ retryIf: retryIfResult((job: Job) => !job.done), fallback: () => ({ id: "0", done: true }) })
  async annotated(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) })
  static async polled(id: string): Promise<Job> {
    return { id, done: true };
  }

  @RetrySync({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) })
  read(id: string): Job {
    return { id, done: true };
  }

  @Retry({ onSuccess: ({ outcome }) => outcome.ok && expectTypeOf(outcome.value).toEqualTypeOf<Job>() })
  async watched(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry(function (this: Options, id: string) {
    return { name: `${id}${this.label}` };
  })
  async configured(id: string): Promise<Job> {
    return { id, done: true };
  }

  @Retry<Job>((id: string) => ({ name: id, fallback: () => ({ id, done: true }) }))
  async configuredByArguments(id: string): Promise<Job> {
    return { id, done: true };
  }

  readonly label: string = "";

  // @ts-expect-error the method returns a Job, not a string
  @Retry({ retryIf: retryIfResult((text: string) => text === "") })
  async judgedAsSomethingElse(id: string): Promise<Job> {
    return { id, done: true };
  }

  // @ts-expect-error a Job has no state
  @Retry({ retryIf: retryIfResult((job) => job.state === "done") })
  async judgedByNothing(id: string): Promise<Job> {
    return { id, done: true };
  }

  // @ts-expect-error the fallback must return a Job
  @Retry({ fallback: () => 1 })
  async badFallback(id: string): Promise<Job> {
    return { id, done: true };
  }

  // @ts-expect-error no such option
  @Retry({ retries: 3 })
  async unknownOption(): Promise<void> {}

  // @ts-expect-error the fallback must return a Job
  @RetrySync({ fallback: () => 1 })
  badSyncFallback(id: string): Job {
    return { id, done: true };
  }

  // @ts-expect-error the method returns a Job, not a string
  @RetrySync({ retryIf: retryIfResult((text: string) => text === "") })
  readAsSomethingElse(id: string): Job {
    return { id, done: true };
  }

  // @ts-expect-error a sync method cannot be aborted
  @RetrySync({ signal: new AbortController().signal })
  signal(): void {}

  // @ts-expect-error a promise cannot be awaited in a sync policy
  @RetrySync({ retryIf: async () => true })
  asyncPredicate(): void {}
}

// Subclasses override and call what is decorated.
export class Child extends Methods {
  override async plain(id: string): Promise<Job> {
    return super.plain(id, true);
  }

  @Retry(policy)
  override async generic<T>(value: T): Promise<T> {
    return super.generic(value);
  }
}
