import {
  type RetryIf,
  type RetryState,
  retry,
  retryIfAll,
  retryIfAny,
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorType,
  retryIfNot,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
  retrySync,
  runWithRetry,
  runWithRetrySync,
  type SyncRetryIf,
} from "undaunted";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

interface Job {
  readonly id: string;
  readonly done: boolean;
}

class HttpError extends Error {
  readonly status: number = 500;
}
class QueryError extends Error {
  readonly sqlState: string = "40001";
}

const loadJob = async (id: string): Promise<Job> => ({ id, done: true });
const readJob = (id: string): Job => ({ id, done: true });
const ready = (job: Job): boolean => job.done;
const readyLater = async (job: Job): Promise<boolean> => job.done;
const transient = async (error: unknown): Promise<boolean> => error instanceof HttpError;

it("lets an inline test of the result know what the function gives", () => {
  retry(loadJob, { retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retry(loadJob, { retryIf: retryIfNotResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retry(loadJob, { retryIf: retryIfResult(async (job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retry(loadJob, { retryIf: retryIfNotResult(async (job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retry(loadJob, () => ({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) }));
  retry(readJob, { retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retry(loadJob).with({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retrySync(readJob, { retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  retrySync(readJob).with({ retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  runWithRetry(() => loadJob("1"), {
    retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()),
  });
  runWithRetry(() => loadJob("1"), {
    retryIf: retryIfResult(async (job) => expectTypeOf(job).toEqualTypeOf<Job>()),
  });
  runWithRetry(({ signal }) => loadJob(`${signal}`), { retryIf: retryIfResult((job: Job) => !job.done) });
  runWithRetry(({ signal }) => loadJob(`${signal}`), {
    retryIf: retryIfOutcome(({ outcome }: RetryState<Job>) => outcome.ok && !outcome.value.done),
  });
  runWithRetrySync(() => readJob("1"), {
    retryIf: retryIfResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()),
  });
  // @ts-expect-error a Job has no state
  retry(loadJob, { retryIf: retryIfResult((job) => job.state === "done") });
  // @ts-expect-error the block returns a Job, not a string
  runWithRetry(({ signal }) => loadJob(`${signal}`), { retryIf: retryIfResult((job: string) => job === "") });
  // @ts-expect-error the function returns a Job, not a string
  retry(loadJob, { retryIf: retryIfResult((job: string) => job === "") });
});

it("lets a function of one's own have the error as unknown, and the state", () => {
  retry(loadJob, { retryIf: (error) => expectTypeOf(error).toEqualTypeOf<unknown>() });
  retry(loadJob, { retryIf: (_error, state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>() });
  retry(loadJob, { retryIf: async (_error, state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>() });
  retrySync(readJob, { retryIf: (_error, state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>() });
  runWithRetry(() => loadJob("1"), {
    retryIf: (_error, state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>(),
  });

  retry(loadJob, { retryIf: (error) => error instanceof HttpError && error.status === 503 });
  // @ts-expect-error an error is unknown until one looks
  retry(loadJob, { retryIf: (error) => error.status === 503 });
  retry(loadJob, { retryIf: (error: unknown) => error instanceof HttpError });
  // @ts-expect-error anything can be thrown: retryIfErrorType(HttpError, test) gets its own
  retry(loadJob, { retryIf: (error: HttpError) => error instanceof HttpError });
  retry(loadJob, { retryIf: retryIfErrorType(HttpError, (error) => error.status === 503) });
  retry(loadJob, { retryIf: (_error, { attempt }) => attempt < 3 });
  // @ts-expect-error the error comes first
  retry(loadJob, { retryIf: ({ attempt }) => attempt < 3 });
  retry(loadJob, { stop: ({ attempt }) => attempt < 3 });
});

it("lets an inline test of the outcome know what the function gives", () => {
  retry(loadJob, { retryIf: retryIfOutcome((state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>()) });
  retry(loadJob, { retryIf: retryIfOutcome(async (state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>()) });
  retrySync(readJob, { retryIf: retryIfOutcome((state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>()) });
  retry(loadJob, { retryIf: retryIfOutcome(({ outcome }) => outcome.ok && outcome.value.done) });
  // @ts-expect-error a Job has no state
  retry(loadJob, { retryIf: retryIfOutcome(({ outcome }) => outcome.ok && outcome.value.state) });
  // @ts-expect-error an outcome must be looked at before its value
  retry(loadJob, { retryIf: retryIfOutcome(({ outcome }) => outcome.value.done) });
});

it("lets functions inside combinators know error and state", () => {
  retry(loadJob, { retryIf: retryIfAny((error) => expectTypeOf(error).toEqualTypeOf<unknown>()) });
  retry(loadJob, {
    retryIf: retryIfAny(retryIfError(), (_error, state) => expectTypeOf(state).toEqualTypeOf<RetryState<Job>>()),
  });
  retry(loadJob, {
    retryIf: retryIfAny(
      (error) => error instanceof HttpError && error.status === 503,
      retryIfNotResult((job) => expectTypeOf(job).toEqualTypeOf<Job>()),
    ),
  });
  retry(loadJob, { retryIf: retryIfAll(retryIfError(), async (_error, { attempt }) => attempt < 3) });
  retry(loadJob, { retryIf: retryIfNot((_error, { attempt }) => attempt < 3) });
  retry(loadJob, { retryIf: retryIfNot(retryIfAny((error, { attempt }) => attempt < 3 && error === "busy")) });
  retryIfAny((error, { attempt }) => attempt < 3 && error === "busy");
  // @ts-expect-error anything can be thrown
  retryIfAny((error: HttpError, { attempt }) => attempt < 3 && error.status === 503);
});

it("lets built-in predicates of errors be asked about an error alone", () => {
  const busy = new Error("busy");
  const predicates = [retryNever, retryIfError(), retryIfErrorCode(503), retryIfErrorMessage("busy")];
  expectTypeOf([busy].filter(retryIfErrorType(HttpError))).toEqualTypeOf<Error[]>();
  expectTypeOf(predicates.map((predicate) => predicate(busy))).toEqualTypeOf<boolean[]>();
  expectTypeOf(retryIfNot(retryIfErrorCode(503))(busy)).toEqualTypeOf<boolean>();
  retryIfResult(ready)(undefined, {} as RetryState<Job>);
  // @ts-expect-error a predicate of values needs the state
  retryIfResult(ready)(undefined);
});

it("lets a maker of one's own be as good as ours", () => {
  const retryIfStatus =
    (...statuses: number[]) =>
    (error: unknown) =>
      error instanceof HttpError && statuses.includes(error.status);
  const retryUntil = <T>(isReady: (value: T) => boolean) => retryIfAny(retryIfError(), retryIfNotResult(isReady));

  retry(loadJob, { retryIf: retryIfStatus(503) });
  retrySync(readJob, { retryIf: retryIfNot(retryIfStatus(400)) });
  retry(loadJob, { retryIf: retryUntil((job) => expectTypeOf(job).toEqualTypeOf<Job>()) });
  // @ts-expect-error it looks at values, which a combination of its parts says by itself
  retryIfNot(retryUntil(ready));
});

it("lets polling that survives errors be written inline, with sync and async tests", () => {
  retry(loadJob, { retryIf: retryIfAny(retryIfError(), retryIfNotResult(ready)) });
  retry(loadJob, { retryIf: retryIfAny(retryIfError(), retryIfNotResult(readyLater)) });
  retry(loadJob, { retryIf: retryIfAny(retryIfError(transient), retryIfNotResult(ready)) });
  retry(loadJob, { retryIf: retryIfAny(retryIfError(transient), retryIfNotResult(readyLater)) });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfError(),
      retryIfNotResult((job) => job.done),
    ),
  });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfNotResult((job) => job.done),
      retryIfError(),
    ),
  });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfError(),
      retryIfNotResult(async (job) => job.done),
    ),
  });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfError(transient),
      retryIfNotResult(async (job) => job.done),
    ),
  });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfErrorType(HttpError),
      retryIfNotResult((job: Job) => job.done),
    ),
  });
  runWithRetry(() => loadJob("1"), {
    retryIf: retryIfAny(
      retryIfError(),
      retryIfNotResult((job) => job.done),
    ),
  });
  runWithRetry(() => loadJob("1"), { retryIf: retryIfAny(retryIfError(), retryIfNotResult(readyLater)) });
  retrySync(readJob, { retryIf: retryIfAny(retryIfError(), retryIfNotResult(ready)) });
  retrySync(readJob, {
    retryIf: retryIfAny(
      retryIfError(),
      retryIfNotResult((job) => job.done),
    ),
  });
  retry(loadJob, { retryIf: retryIfAll(retryIfErrorCode(503), retryIfErrorMessage("busy")) });
  retry(loadJob, { retryIf: retryIfAll(retryIfErrorCode(503), retryIfError(transient)) });
  retry(loadJob, {
    retryIf: retryIfAny(
      retryIfAll(retryIfErrorCode(503), retryIfError()),
      retryIfNotResult((job) => job.done),
    ),
  });
  retry(loadJob, { retryIf: retryIfAny((error) => error instanceof HttpError, retryIfNotResult(ready)) });
  const nonEmpty = (text: string): boolean => text !== "";
  // @ts-expect-error the function returns a Job, not a string
  retry(loadJob, { retryIf: retryIfAny(retryIfError(), retryIfNotResult(nonEmpty)) });
});

it("makes a combination sync exactly where its parts are", () => {
  expectTypeOf(retryIfAny(retryIfError(), retryIfNotResult(ready))).toExtend<SyncRetryIf<Job>>();
  expectTypeOf(retryIfAny(retryIfError(), retryIfNotResult(readyLater))).toExtend<RetryIf<Job>>();
  expectTypeOf(retryIfAny(retryIfError(), retryIfNotResult(readyLater))).not.toExtend<SyncRetryIf<Job>>();
  expectTypeOf(retryIfAll(retryIfErrorCode(503), retryIfErrorMessage("busy"))).toExtend<SyncRetryIf>();
  expectTypeOf(retryIfAll(retryIfErrorCode(503), retryIfError(transient))).not.toExtend<SyncRetryIf>();
  expectTypeOf(retryIfNot(retryIfErrorCode(503))).toEqualTypeOf<(error: unknown) => boolean>();
  expectTypeOf(retryIfNot(retryIfError(transient))).toEqualTypeOf<(error: unknown) => boolean | Promise<boolean>>();
  expectTypeOf(retryIfNot((error) => error instanceof HttpError)).toEqualTypeOf<(error: unknown) => boolean>();
  expectTypeOf(retryIfNot(retryIfAny(retryIfError(transient)))).toExtend<RetryIf>();
  expectTypeOf(retryIfError()).toEqualTypeOf<(error: unknown) => boolean>();
  expectTypeOf(retryIfError(transient)).toEqualTypeOf<(error: unknown) => boolean | Promise<boolean>>();
  expectTypeOf(retryNever).toEqualTypeOf<(error: unknown) => boolean>();
});

it("narrows the error to the class, or the list of classes, for its test", () => {
  retryIfErrorType(HttpError, (error) => expectTypeOf(error).toEqualTypeOf<HttpError>());
  retryIfErrorType(HttpError, async (error) => expectTypeOf(error).toEqualTypeOf<HttpError>());
  retryIfErrorType([HttpError, QueryError], (error) => {
    expectTypeOf(error).toEqualTypeOf<HttpError | QueryError>();
    return error instanceof HttpError ? error.status >= 500 : error.sqlState === "40001";
  });
  retry(loadJob, { retryIf: retryIfErrorType(HttpError, (error) => error.status >= 500) });
  retry(loadJob, { retryIf: retryIfErrorType([HttpError, QueryError]) });
  retrySync(readJob, { retryIf: retryIfErrorType(HttpError, (error) => error.status >= 500) });
  runWithRetry(() => 1, { retryIf: retryIfNotErrorType([TypeError, RangeError]) });
  // @ts-expect-error an HttpError has no sqlState
  retryIfErrorType(HttpError, (error) => error.sqlState === "40001");
  // @ts-expect-error only one of the two has a status
  retryIfErrorType([HttpError, QueryError], (error) => error.status >= 500);
  // @ts-expect-error an instance is no class
  retryIfErrorType(new HttpError());
  // @ts-expect-error a name is no class
  retryIfNotErrorType("HttpError");
});

it("takes abstract classes, whatever their constructors want", () => {
  abstract class Failure extends Error {
    constructor(
      readonly code: number,
      readonly detail: { readonly hint: string },
    ) {
      super();
    }
  }
  retryIfErrorType(Failure, (error) => error.detail.hint !== "" && error.code > 1);
  retryIfNotErrorType([Failure, HttpError]);
});

it("leaves unknown what was caught", () => {
  retryIfError((error) => expectTypeOf(error).toEqualTypeOf<unknown>());
  retryIfErrorCause((cause) => expectTypeOf(cause).toEqualTypeOf<unknown>());
  // @ts-expect-error an error is unknown until one looks
  retryIfError((error) => error.code === 1);
  // @ts-expect-error a code is a string or a number
  retryIfErrorCode(/503/);
  // @ts-expect-error a message is looked for by a string or a regular expression
  retryIfErrorMessage(503);
  // @ts-expect-error a test of causes answers at once
  retryIfErrorCause(transient);
});

it("refuses to negate a result predicate", () => {
  // @ts-expect-error a result predicate is negated by retryIfNotResult
  retryIfNot(retryIfResult(ready));
  // @ts-expect-error a result predicate is negated by retryIfResult
  retryIfNot(retryIfNotResult(ready));
  // @ts-expect-error also where it is async
  retryIfNot(retryIfResult(readyLater));
  // @ts-expect-error also a predicate of both
  retryIfNot(retryIfOutcome(() => true));
  // @ts-expect-error also in a combination
  retryIfNot(retryIfAny(retryIfErrorCode(404), retryIfResult(ready)));
  // @ts-expect-error also in a combination of combinations, async
  retryIfNot(retryIfAll(retryIfAny(retryIfResult(readyLater)), retryIfNotResult(ready)));
  // @ts-expect-error also inline
  retry(loadJob, { retryIf: retryIfNot(retryIfResult((job: Job) => job.done)) });

  retryIfNot(retryIfErrorCode(404));
  retryIfNot(retryIfAny(retryIfErrorCode(404), retryIfErrorType(TypeError)));
  retryIfNot((error) => error instanceof TypeError);
  retryIfNot(retryIfNot(retryNever));
});

it("refuses an async predicate in a sync policy", () => {
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: async () => true });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: retryIfError(transient) });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: retryIfResult(readyLater) });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: retryIfAny(retryIfError(), retryIfResult(readyLater)) });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: retryIfErrorType(HttpError, async () => true) });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  retrySync(readJob, { retryIf: retryIfNot(retryIfError(transient)) });
  // @ts-expect-error a promise cannot be awaited in a sync policy
  runWithRetrySync(() => 1, { retryIf: async () => true });
});
