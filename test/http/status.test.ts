import { isIdempotentMethod, isRetryableStatus } from "undaunted/http";
import { describe, expect, it } from "vitest";

describe("isRetryableStatus", () => {
  it("takes the sixteen statuses that say to come back, and no other", () => {
    const statuses = Array.from({ length: 700 }, (_, status) => status);

    expect(statuses.filter(isRetryableStatus)).toEqual([
      408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527, 529, 530,
    ]);
  });

  it("refuses what is no number", () => {
    expect(() => isRetryableStatus("503" as never)).toThrow(
      new TypeError('isRetryableStatus: status must be a finite number, got "503"'),
    );
  });

  it("refuses NaN", () => {
    expect(() => isRetryableStatus(Number.NaN)).toThrow(
      new RangeError("isRetryableStatus: status must be a finite number, got NaN"),
    );
  });
});

describe("isIdempotentMethod", () => {
  it.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY", "get", "Delete"])(
    "says yes to %s",
    (method) => {
      expect(isIdempotentMethod(method)).toBe(true);
    },
  );

  it.each([
    "POST",
    "PATCH",
    "CONNECT",
    "post",
    "",
    " GET",
    "GET ",
    "GET\n",
    "XGET",
    "GETX",
    "optıons",
    "optionſ",
    "toString",
  ])("says no to %j", (method) => {
    expect(isIdempotentMethod(method)).toBe(false);
  });

  it("refuses what is no string: fetch takes a method left out for GET, others do not", () => {
    expect(() => isIdempotentMethod(undefined as never)).toThrow(
      new TypeError("isIdempotentMethod: method must be a string, got undefined"),
    );
  });
});
