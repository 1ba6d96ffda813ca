import fc from "fast-check";
import { retry, stopAfterAttempt } from "undaunted";
import { describe, expect, it } from "vitest";
import { reviveError, toPlainError } from "../../src/common/plain-error.js";

class CardError extends Error {
  override readonly name = "CardError";
  readonly code = "card_declined";
  readonly status = 402;
  readonly secret = "4242";
}

describe("toPlainError", () => {
  it("keeps name, message, code, status and causes, and nothing else", () => {
    const error = new CardError("declined", { cause: Object.assign(new TypeError("reset"), { code: 104 }) });

    expect(toPlainError(error)).toEqual({
      name: "CardError",
      message: "declined",
      code: "card_declined",
      status: 402,
      cause: { name: "TypeError", message: "reset", code: 104 },
    });
  });

  it.each<[string, unknown, object]>([
    ["a text", "no", { name: "Error", message: "no" }],
    ["nothing", undefined, { name: "Error", message: "undefined" }],
    ["an object without a message", { code: "E1" }, { name: "Error", message: "[object Object]", code: "E1" }],
    ["a DOMException", new DOMException("late", "TimeoutError"), { name: "TimeoutError", message: "late", code: 23 }],
    ["axios' error", { message: "m", response: { status: 503 } }, { name: "Error", message: "m", status: 503 }],
    ["another client's", { message: "m", statusCode: 500, code: null }, { name: "Error", message: "m", status: 500 }],
    ["numbers that JSON does not have", { message: "m", code: NaN, status: Infinity }, { name: "Error", message: "m" }],
    ["a cause that is null", { message: "m", cause: null }, { name: "Error", message: "m" }],
  ])("makes one of %s", (_what, thrown, plain) => {
    expect(toPlainError(thrown)).toEqual(plain);
  });

  it("is bounded in depth and in size, and cuts no character in two", () => {
    const cyclic = new Error(`${"x".repeat(1_999)}🔑`);
    cyclic.cause = cyclic;

    const plain = toPlainError(cyclic);

    expect(plain.message).toBe("x".repeat(1_999));
    let depth = 0;
    for (let each: unknown = plain; each; each = (each as { cause?: unknown }).cause) depth++;
    expect(depth).toBe(5);
    expect(toPlainError({ name: "n".repeat(300), code: "c".repeat(300), message: "" })).toEqual({
      name: "n".repeat(200),
      code: "c".repeat(200),
      message: "",
    });
  });

  it("says that a retry has given up on it", async () => {
    const error = new Error("down");
    await retry(() => Promise.reject(error), { stop: stopAfterAttempt(1) })().catch(() => {});

    expect(toPlainError(error)).toEqual({ name: "Error", message: "down", exhausted: true });
    expect(toPlainError(new Error("other"))).not.toHaveProperty("exhausted");
  });
});

describe("reviveError", () => {
  it("makes an error with the same name, message, code, status and causes", () => {
    const plain = toPlainError(new CardError("declined", { cause: new RangeError("limit") }));

    const error = reviveError(JSON.parse(JSON.stringify(plain)));

    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "CardError", message: "declined", code: "card_declined", status: 402 });
    expect(error.cause).toMatchObject({ name: "RangeError", message: "limit" });
    expect(Object.keys(error)).toEqual(["code", "status"]);
    expect(String(error)).toBe("CardError: declined");
    expect(toPlainError(error)).toEqual(plain);
  });

  it("has no cause where there was none", () => {
    expect("cause" in reviveError({ name: "Error", message: "m" })).toBe(false);
  });

  it("is not repeated by a retry where it was exhausted", async () => {
    const calls: unknown[] = [];
    const policy = retry(async (plain: object) => {
      calls.push(plain);
      throw reviveError(plain);
    });

    await policy({ name: "Error", message: "m", exhausted: true }).catch(() => {});

    expect(calls).toHaveLength(1);
  });

  it("makes the same of what toPlainError made, and never throws, whatever it is given", () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        const plain = JSON.parse(JSON.stringify(toPlainError(anything)));

        expect(toPlainError(reviveError(plain))).toEqual(plain);
        expect(reviveError(anything)).toBeInstanceOf(Error);
      }),
    );
  });
});
