import { type CircuitBreakers, type CircuitBreakersOptions, circuitBreakers } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it, vi } from "vitest";

const key = (shard: string) => shard;
const one = { key, consecutiveFailures: 1, openFor: 1_000 };

/** Makes a call for a shard that fails. */
async function failing(shards: CircuitBreakers, shard: string): Promise<void> {
  await shards
    .wrap(async (_shard: string) => {
      throw new Error("down");
    })(shard)
    .catch(() => {});
}

describe("breakers by key, where none is closed", () => {
  it("hand out a new one that they do not keep while all are open", async () => {
    const shards = circuitBreakers({ ...one, max: 2, clock: virtualClock() });
    await failing(shards, "a");
    await failing(shards, "b");

    const unguarded = shards.get("c");

    expect(shards.get("c")).not.toBe(unguarded);
    expect(shards.size).toBe(2);
  });

  it("let go of one whose opening is over", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ ...one, max: 2, clock });
    await failing(shards, "a");
    await failing(shards, "b");
    await clock.advance(1_000);

    const kept = shards.get("c");

    expect(shards.get("c")).toBe(kept);
    expect(shards.size).toBe(2);
  });

  it("find one whose opening is over behind one that is isolated", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ ...one, max: 2, clock });
    shards.get("a").isolate();
    await failing(shards, "b");
    await clock.advance(1_000);

    shards.get("c");
    const kept = shards.get("c");

    expect(shards.get("c")).toBe(kept);
    expect(shards.get("a").state).toBe("isolated");
  });

  it("let go of none that a probe is out of", async () => {
    const clock = virtualClock();
    const shards = circuitBreakers({ ...one, max: 1, clock });
    await failing(shards, "a");
    await clock.advance(1_000);
    void shards.get("a").run(() => new Promise(() => {}));

    shards.get("b");

    expect(shards.get("a").state).toBe("half-open");
  });

  it("stay within max where a hook asks for keys while one is let go", async () => {
    const clock = virtualClock();
    const shards: CircuitBreakers = circuitBreakers({
      ...one,
      max: 2,
      clock,
      onStateChange: ({ name }) => void shards.get(name).state,
    });

    const sizes: number[] = [];
    for (const shard of "abcdefgh") {
      await failing(shards, shard);
      sizes.push(shards.size);
      await clock.advance(700);
    }

    expect(Math.max(...sizes)).toBe(2);
  });
});

describe("the options of breakers by key", () => {
  it("the options of breakers by key are read once, inherited ones too", async () => {
    const read: string[] = [];
    const defaults = {
      get consecutiveFailures() {
        read.push("consecutiveFailures");
        return 1;
      },
    };
    const options: CircuitBreakersOptions = Object.assign(Object.create(defaults), { key });
    const shards = circuitBreakers(options);

    await failing(shards, "a");
    await failing(shards, "b");

    expect(shards.get("a").state).toBe("open");
    expect(read).toEqual(["consecutiveFailures"]);
  });

  it("the options of breakers by key may hold a hook that fails: it is warned of once, not once for each key", () => {
    const warnings: unknown[] = [];
    const warn = vi.spyOn(process, "emitWarning").mockImplementation((text) => void warnings.push(text));
    const onStateChange = () => {
      throw new Error("the hook");
    };
    const shards = circuitBreakers({ key, onStateChange });

    for (const shard of "abc") shards.get(shard).isolate();
    warn.mockRestore();

    expect(warnings).toHaveLength(1);
  });
});

it("a key that cannot be shown has a breaker all the same", async () => {
  const shards = circuitBreakers({ key: () => Object.create(null) });

  expect(await shards.wrap(async () => 1)()).toBe(1);
});
