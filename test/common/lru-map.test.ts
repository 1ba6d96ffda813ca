import { describe, expect, it, vi } from "vitest";
import { LruMap } from "../../src/common/lru-map.js";

/** A map whose values tell their key. */
function named(max: number) {
  const make = vi.fn((key: unknown) => ({ key }));
  return { make, kept: new LruMap(max, make) };
}

const keysOf = (kept: LruMap<{ key: unknown }>) => [...kept.entries()].map(([, kept]) => kept).map(({ key }) => key);

describe("things kept by key", () => {
  it("makes a thing when its key is first asked for, and once", () => {
    const { make, kept } = named(10);

    const first = kept.get("a");

    expect(kept.get("a")).toBe(first);
    expect(make).toHaveBeenCalledExactlyOnceWith("a");
    expect(kept.size).toBe(1);
  });

  it.each([undefined, null, Number.NaN, 0, "", Symbol("shard"), {}])("may have any key", (key) => {
    const { kept, make } = named(10);

    expect(kept.get(key)).toBe(kept.get(key));
    expect(make).toHaveBeenCalledExactlyOnceWith(key);
  });

  it("stays within its bound: the one not asked for longest goes first", () => {
    const { kept } = named(2);

    for (const key of ["a", "b", "a", "c"]) kept.get(key);

    expect(keysOf(kept)).toEqual(["a", "c"]);
  });

  it("makes a thing anew after it went", () => {
    const { kept } = named(1);
    const first = kept.get("a");
    kept.get("b");

    expect(kept.get("a")).not.toBe(first);
  });

  it("keeps a pinned thing: another goes in its place", () => {
    const { kept } = named(2);
    kept.pin("a", kept.get("a"), true);
    kept.get("b");

    kept.get("c");

    expect(keysOf(kept).sort()).toEqual(["a", "c"]);
  });

  it("finds a pinned thing again, and counts it", () => {
    const { make, kept } = named(2);
    const first = kept.get("a");
    kept.pin("a", first, true);

    expect(kept.get("a")).toBe(first);
    expect(make).toHaveBeenCalledTimes(1);
    expect(kept.size).toBe(1);
  });

  it("hands out a thing without keeping it where all others are pinned", () => {
    const { kept } = named(1);
    kept.pin("a", kept.get("a"), true);

    const other = kept.get("b");

    expect(other).toEqual({ key: "b" });
    expect(kept.get("b")).not.toBe(other);
    expect(keysOf(kept)).toEqual(["a"]);
  });

  it("lets a thing that was let loose go again, last of all", () => {
    const { kept } = named(2);
    const first = kept.get("a");
    kept.pin("a", first, true);
    kept.get("b");

    kept.pin("a", first, false);
    kept.get("c");

    expect(keysOf(kept)).toEqual(["a", "c"]);
  });

  it("drops a pinned thing that is over where all are pinned, the one looked at longest ago first", () => {
    const over = new Set<unknown>();
    const kept = new LruMap(
      2,
      (key) => ({ key }),
      ({ key }) => over.has(key),
    );
    for (const key of ["a", "b"]) kept.pin(key, kept.get(key), true);
    kept.get("c");
    expect(keysOf(kept)).toEqual(["b", "a"]);

    over.add("b");
    kept.get("d");

    expect(keysOf(kept).sort()).toEqual(["a", "d"]);
  });

  it("does not pin a thing that has gone, nor another in its place", () => {
    const { kept } = named(1);
    const gone = kept.get("a");
    kept.get("b");
    kept.pin("a", gone, true);
    expect(keysOf(kept)).toEqual(["b"]);

    const again = kept.get("a");
    kept.pin("a", gone, true);
    kept.get("c");

    expect(again).not.toBe(gone);
    expect(keysOf(kept)).toEqual(["c"]);
  });

  it("allows pinning or letting loose twice", () => {
    const { kept } = named(2);
    const first = kept.get("a");

    for (const pinned of [false, true, true, false, false]) kept.pin("a", first, pinned);

    expect(kept.get("a")).toBe(first);
    expect(kept.size).toBe(1);
  });
});

describe("a map that asks whether a pinned one is over", () => {
  /** A map for two, both pinned, whose question runs `meanwhile`. */
  function pinnedFull(meanwhile: (map: LruMap<{ key: unknown }>) => void, over = true) {
    const map: LruMap<{ key: unknown }> = new LruMap(
      2,
      (key) => ({ key }),
      () => {
        meanwhile(map);
        return over;
      },
    );
    for (const key of ["a", "b"]) map.pin(key, map.get(key), true);
    return map;
  }

  it("keeps the new thing in the place of a pinned one that is over", () => {
    const map = pinnedFull(() => {});

    expect(map.get("c")).toBe(map.get("c"));
    expect([...map.entries()].map(([, each]) => each).map(({ key }) => key)).toEqual(["c", "b"]);
  });

  it("has one thing for a key where the key is asked for meanwhile", () => {
    let asked = false;
    const map = pinnedFull((self) => {
      if (asked) return;
      asked = true;
      self.get("c");
    });

    const made = map.get("c");

    expect(map.get("c")).toBe(made);
    expect(map.size).toBe(2);
  });

  it("leaves alone a thing that was let loose meanwhile", () => {
    const map = pinnedFull((self) => self.pin("a", self.get("a"), false), false);

    map.get("c");

    expect([...map.entries()].map(([, each]) => each).map(({ key }) => key)).toEqual(["a", "b"]);
  });
});
