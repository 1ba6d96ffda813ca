import {
  type RetryIf,
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
  runWithRetry(({ signal }) => loadJob(`${signal}`), { retryIf: ({ outcome }) => outcome.ok && !outcome.value.done });
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

it("lets a predicate of one's own know what the function gives", () => {
  retry(loadJob, { retryIf: ({ outcome }) => outcome.ok && !outcome.value.done });
  retry(loadJob, { retryIf: async ({ outcome }) => outcome.ok && !outcome.value.done });
  runWithRetry(() => loadJob("1"), { retryIf: ({ outcome }) => outcome.ok && !outcome.value.done });
  // @ts-expect-error a Job has no state
  retry(loadJob, { retryIf: ({ outcome }) => outcome.ok && !outcome.value.state });
  // @ts-expect-error an outcome must be looked at before its value
  retry(loadJob, { retryIf: ({ outcome }) => !outcome.value.done });
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
  retry(loadJob, { retryIf: retryIfAny(({ outcome }) => !outcome.ok, retryIfNotResult(ready)) });
  const nonEmpty = (text: string): boolean => text !== "";
  // @ts-expect-error the function returns a Job, not a string
  retry(loadJob, { retryIf: retryIfAny(retryIfError(), retryIfNotResult(nonEmpty)) });
});

it("makes a combination sync exactly where its parts are", () => {
  expectTypeOf(retryIfAny(retryIfError(), retryIfNotResult(ready))).toEqualTypeOf<SyncRetryIf<Job>>();
  expectTypeOf(retryIfAny(retryIfError(), retryIfNotResult(readyLater))).toEqualTypeOf<RetryIf<Job>>();
  expectTypeOf(retryIfAll(retryIfErrorCode(503), retryIfErrorMessage("busy"))).toExtend<SyncRetryIf>();
  expectTypeOf(retryIfAll(retryIfErrorCode(503), retryIfError(transient))).not.toExtend<SyncRetryIf>();
  expectTypeOf(retryIfNot(retryIfErrorCode(503))).toEqualTypeOf<SyncRetryIf>();
  expectTypeOf(retryIfNot(retryIfError(transient))).toEqualTypeOf<RetryIf>();
  expectTypeOf(retryIfError()).toEqualTypeOf<SyncRetryIf>();
  expectTypeOf(retryIfError(transient)).toEqualTypeOf<RetryIf>();
  expectTypeOf(retryNever).toEqualTypeOf<SyncRetryIf>();
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
  // @ts-expect-error also inline
  retry(loadJob, { retryIf: retryIfNot(retryIfResult((job: Job) => job.done)) });

  retryIfNot(retryIfErrorCode(404));
  retryIfNot(retryIfAny(retryIfErrorCode(404), retryIfErrorType(TypeError)));
  retryIfNot(({ outcome }) => !outcome.ok && outcome.error instanceof TypeError);
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
