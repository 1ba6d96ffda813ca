import { IdempotencyInFlightError, IdempotencyMismatchError, IdempotencyRecordError } from "undaunted/idempotency";
import { describe, expect, it } from "vitest";

const cause = new Error("down");

describe.each([
  [
    "IdempotencyInFlightError",
    "ERR_IDEMPOTENCY_IN_FLIGHT",
    'a call with the key "a\\"b" is running',
    () => new IdempotencyInFlightError('a"b', 5),
  ],
  [
    "IdempotencyMismatchError",
    "ERR_IDEMPOTENCY_MISMATCH",
    'the key "a\\"b" was used with other arguments: a new call needs a new key',
    () => new IdempotencyMismatchError('a"b'),
  ],
  [
    "IdempotencyRecordError",
    "ERR_IDEMPOTENCY_RECORD",
    'the call with the key "a\\"b" ran, but its result is not on record: why',
    () => new IdempotencyRecordError('a"b', "why"),
  ],
])("%s", (name, code, message, make) => {
  it("has a name, a code, a message and the key", () => {
    expect(make()).toBeInstanceOf(Error);
    expect(make()).toMatchObject({ name, code, message, key: 'a"b' });
    expect(String(make())).toBe(`${name}: ${message}`);
  });

  it("names itself in its stack", () => {
    expect(make().stack).toContain(`${name}: ${message}`);
  });

  it("can be renamed, as any error can, and alone", () => {
    const [renamed, other]: Error[] = [make(), make()];

    renamed!.name = "Other";
    renamed!.name = "Another";

    expect([renamed!.name, other!.name]).toEqual(["Another", name]);
    expect(Object.keys(renamed!)).not.toContain("name");
    expect(delete (renamed as { name?: string }).name).toBe(true);
  });

  it("has no cause unless it is given one", () => {
    expect("cause" in make()).toBe(false);
  });
});

describe("IdempotencyRecordError", () => {
  it("has the cause that it is given, also an undefined one", () => {
    expect(new IdempotencyRecordError("k", "why", { cause }).cause).toBe(cause);
    expect("cause" in new IdempotencyRecordError("k", "why", { cause: undefined })).toBe(true);
  });

  it("does not show the value to who logs it", () => {
    const error = new IdempotencyRecordError("k", "why", { value: "secret" });

    expect(error.value).toBe("secret");
    expect(JSON.stringify(error)).not.toContain("secret");
    expect(Object.keys(error)).toEqual(["key", "code"]);
  });
});
