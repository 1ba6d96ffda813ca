import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256 } from "../../src/common/sha256.js";

const expected = (text: string) => createHash("sha256").update(text).digest("hex");

// Around the ends of a block: where the length does not fit any more, and a byte later.
it.each([0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1_000, 100_000])(
  "is the SHA-256 of a text of %i bytes",
  (length) => {
    const text = "a".repeat(length);

    expect(sha256(text)).toBe(expected(text));
  },
);

it("is the SHA-256 of any text, as UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      expect(sha256(text)).toBe(expected(text));
    }),
  );
});
