import { retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";

describe("options that make no sense are refused when the client is made", () => {
  const METHODS = "a list of methods, or a function";
  const STATUSES = "a list of statuses from 100 to 999, or a function";
  const KEY = "true, a function that returns a key, or { header, value, quoted }";
  const BUDGET = "a RetryBudget, or false";
  const GUARD = "a guard, which has a method wrap";
  const BODY = "true, false or { maxBytes }";
  const PAUSE = "true, false or what fleet.pauses returns";

  it.each<[string, unknown, string, string]>([
    ["methods", "GET", METHODS, '"GET"'],
    ["methods", [""], METHODS, '[""]'],
    ["methods", [7], METHODS, "[7]"],
    ["methods", null, METHODS, "null"],
    ["methods", new Set(["GET"]), METHODS, "[object Set]"],
    ["statuses", ["503"], STATUSES, '["503"]'],
    ["statuses", [503, 99], STATUSES, "[503,99]"],
    ["statuses", [1_000], STATUSES, "[1000]"],
    ["statuses", [500.5], STATUSES, "[500.5]"],
    ["statuses", [Number.NaN], STATUSES, "[NaN]"],
    ["statuses", null, STATUSES, "null"],
    ["statuses", 503, STATUSES, "503"],
    ["methods", 7, METHODS, "7"],
    ["unexecuted", 503, STATUSES, "503"],
    ["budget", 10, BUDGET, "10"],
    ["pauseOrigin", 1, PAUSE, "1"],
    ["throughBody", 1, BODY, "1"],
    ["throughBody", "yes", BODY, '"yes"'],
    ["throughBody", null, BODY, "null"],
    ["maxRetryAfter", "60", "a number of ms from 0", '"60"'],
    ["maxRetryAfter", null, "a number of ms from 0", "null"],
    ["idempotencyKey", "a", KEY, '"a"'],
    ["idempotencyKey", null, KEY, "null"],
    ["prepare", {}, "a function", "[object Object]"],
    ["budget", true, BUDGET, "true"],
    ["budget", null, BUDGET, "null"],
    ["budget", { acquire() {} }, BUDGET, "[object Object]"],
    ["breaker", {}, GUARD, "[object Object]"],
    ["breaker", () => {}, GUARD, "a function"],
    ["breaker", null, GUARD, "null"],
    ["bulkhead", { limit: 1 }, GUARD, "[object Object]"],
    ["pauseOrigin", {}, PAUSE, "[object Object]"],
    ["pauseOrigin", null, PAUSE, "null"],
    ["pauseOrigin", "yes", PAUSE, '"yes"'],
    ["throwOnFailure", "yes", "true or false", '"yes"'],
    ["fetch", "fetch", "a function", '"fetch"'],
    ["stop", 3, "a function", "3; did you mean stopAfterAttempt(3)?"],
    ["signal", {}, "an AbortSignal", "[object Object]"],
  ])("%s: %j", (option, value, allowed, shown) => {
    const message = `retryFetch: ${option} must be ${allowed}, got ${shown}`;

    expect(() => retryFetch({ [option]: value })).toThrow(new TypeError(message));
  });

  it.each([["idempotencyKey", 1, KEY]])("%s: %j, a number", (option, value, allowed) => {
    expect(() => retryFetch({ [option]: value })).toThrow(`retryFetch: ${option} must be ${allowed}, got ${value}`);
  });

  it.each([-1, Number.NaN, -Infinity])("maxRetryAfter: %d is out of range", (maxRetryAfter) => {
    expect(() => retryFetch({ maxRetryAfter })).toThrow(
      new RangeError(`retryFetch: maxRetryAfter must be a number of ms from 0, got ${maxRetryAfter}`),
    );
  });

  it.each([
    [{ header: 1 }, "retryFetch.idempotencyKey: header must be the name of a header, got 1"],
    [{ value: "a" }, 'retryFetch.idempotencyKey: value must be a function, got "a"'],
    [{ quoted: "no" }, 'retryFetch.idempotencyKey: quoted must be true or false, got "no"'],
    [{ name: "a" }, 'retryFetch.idempotencyKey: there is no option "name"; allowed are header, value, quoted'],
    [[], "retryFetch.idempotencyKey: options must be an object, got []"],
  ])("idempotencyKey: %j", (idempotencyKey, message) => {
    expect(() => retryFetch({ idempotencyKey: idempotencyKey as never })).toThrow(new TypeError(message));
  });

  it.each(["", "a b", "a:", "é"])("idempotencyKey: header %j is no name of one", (header) => {
    expect(() => retryFetch({ idempotencyKey: { header } })).toThrow(
      new TypeError(`retryFetch.idempotencyKey: header must be the name of a header, got ${JSON.stringify(header)}`),
    );
  });

  it("a name that is unknown", () => {
    expect(() => retryFetch({ retries: 3 } as never)).toThrow(
      /^retryFetch: there is no option "retries"; allowed are stop, .*methods.*throwOnFailure/,
    );
  });

  it.each([
    ["null", null, "null"],
    ["a number", 3, "3; did you mean { stop: stopAfterAttempt(3) }?"],
    ["a list", [], "[]"],
  ])("%s in their place", (_, options, shown) => {
    expect(() => retryFetch(options as never)).toThrow(
      new TypeError(`retryFetch: options must be an object, got ${shown}`),
    );
  });
});
