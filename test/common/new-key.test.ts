import { newIdempotencyKey } from "undaunted/idempotency";
import { afterEach, describe, expect, it, vi } from "vitest";

const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("newIdempotencyKey", () => {
  it("makes a UUID of version 4", () => {
    expect(newIdempotencyKey()).toMatch(VERSION_4);
  });

  it("makes another one each time", () => {
    const keys = Array.from({ length: 1_000 }, () => newIdempotencyKey());

    expect(new Set(keys).size).toBe(1_000);
  });

  it("takes the platform's own where it has one", () => {
    vi.stubGlobal("crypto", { randomUUID: () => "its own" });

    expect(newIdempotencyKey()).toBe("its own");
  });

  it("makes the same kind of key on a page that did not come over https, which has no randomUUID", () => {
    vi.stubGlobal("crypto", { getRandomValues: (array: Uint8Array) => array.map((_, index) => 0xf0 + index) });

    expect(newIdempotencyKey()).toBe("f0f1f2f3-f4f5-46f7-b8f9-fafbfcfdfeff");
  });

  it.each([undefined, {}])("names what is missing where crypto is %j", (crypto) => {
    vi.stubGlobal("crypto", crypto);

    expect(() => newIdempotencyKey()).toThrow(/^newIdempotencyKey: there is no crypto.getRandomValues here/);
  });

  it("keeps a key of zeros a UUID of version 4", () => {
    vi.stubGlobal("crypto", { getRandomValues: (array: Uint8Array) => array });

    expect(newIdempotencyKey()).toBe("00000000-0000-4000-8000-000000000000");
  });
});
