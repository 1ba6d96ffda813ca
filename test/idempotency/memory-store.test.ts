import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { type Claim, idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { describe, expect, it, vi } from "vitest";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function bytesInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe("memoryIdempotencyStore", () => {
  it.each([
    ["an unknown option", { ttl: 1 }, 'memoryIdempotencyStore: there is no option "ttl"; allowed are clock, max'],
    ["a clock without a now", { clock: {} }, "memoryIdempotencyStore: clock must be an object with a method now"],
    ["no object", null, "memoryIdempotencyStore: options must be an object, got null"],
  ])("refuses %s", (_what, options, why) => {
    expect(() => memoryIdempotencyStore(options as object)).toThrow(why);
    expect(() => memoryIdempotencyStore(options as object)).toThrow(TypeError);
  });

  it("has let go of what is over when as many new keys have come", async () => {
    const clock = { time: 0, now: () => clock.time };
    const store = memoryIdempotencyStore({ clock });
    const before = bytesInUse();
    for (let n = 0; n < 500; n++) {
      const claim = await store.claim(`old ${n}`, "f", 1);
      await store.record(`old ${n}`, (claim as { token: string }).token, Buffer.alloc(100_000, "a").toString(), 1);
    }
    expect(bytesInUse() - before).toBeGreaterThan(40_000_000);
    clock.time = 1;

    for (let n = 0; n < 500; n++) await store.claim(`new ${n}`, "f", 1_000);

    expect(bytesInUse() - before).toBeLessThan(5_000_000);
    expect(await store.claim("new 0", "f", 1)).toMatchObject({ state: "running" });
  });

  it("refuses new keys where it holds max, and takes them again when one is over", async () => {
    const clock = { time: 0, now: () => clock.time };
    const store = memoryIdempotencyStore({ clock, max: 2 });
    await store.claim("a", "f", 10);
    const { token } = (await store.claim("b", "f", 5)) as { token: string };

    await expect(store.claim("c", "f", 10)).rejects.toThrow(
      new RangeError("memoryIdempotencyStore: it holds 2 keys, its max, and none of them is over"),
    );
    expect(await store.claim("b", "f", 10)).toMatchObject({ state: "running" });
    expect(await store.record("b", token, "done", 5)).toBe(true);
    clock.time = 5;
    expect(await store.claim("c", "f", 10)).toMatchObject({ state: "won" });
  });

  it.each([0, 1.5, -1, Number.NaN, "2"])("refuses a max of %j", (max) => {
    expect(() => memoryIdempotencyStore({ max: max as number })).toThrow(
      "memoryIdempotencyStore: max must be a whole number",
    );
  });

  it("needs no crypto: its tokens are its own", async () => {
    vi.stubGlobal("crypto", undefined);
    const once = idempotent(async (id: string) => id, { key: (id) => id });
    const result = await once("a").finally(() => vi.unstubAllGlobals());

    expect(result).toBe("a");
  });

  it("gives a key away when its time has just ended, however many others there are", async () => {
    const clock = { time: 0, now: () => clock.time };
    const store = memoryIdempotencyStore({ clock });
    for (const key of ["a", "b", "c", "d"]) await store.claim(key, "f", 10);

    clock.time = 10;

    expect(await store.claim("d", "f", 10)).toMatchObject({ state: "won" });
  });

  it("does what its contract says, in whatever order it is asked", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        const clock = { time: 0, now: () => clock.time };
        const store = memoryIdempotencyStore({ clock });
        const model = new Model(clock);
        const tokens = ["unknown"];
        for (const each of steps) {
          const token = tokens.at(-1 - (each.token % tokens.length))!;
          if (each.does === "pass") clock.time += each.ms;
          else if (each.does === "claim") {
            const claim = await store.claim(each.key, each.text, each.ms);
            if (claim.state === "won") tokens.push(claim.token);
            expect(model.claim(each.key, each.text, each.ms, claim)).toEqual(claim);
          } else {
            const answer = await store[each.does](each.key, token, ...argumentsOf(each));
            expect(answer).toBe(model[each.does](each.key, token, ...argumentsOf(each)));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

const step = fc.record({
  does: fc.constantFrom("claim", "renew", "record", "release", "pass"),
  key: fc.constantFrom("k1", "k2", "__proto__"),
  text: fc.constantFrom("a", "b"),
  token: fc.nat({ max: 4 }),
  ms: fc.integer({ min: 1, max: 4 }),
});

function argumentsOf({ does, text, ms }: { does: string; text: string; ms: number }): [never, never] {
  return (does === "record" ? [text, ms] : [ms]) as [never, never];
}

/** The contract of a store, word for word: all that ever happened is kept, and looked through. */
class Model {
  readonly #held: { key: string; token: string; fingerprint: string; record?: string; until: number }[] = [];

  constructor(private readonly clock: { readonly time: number }) {}

  /** What `claim` may answer; a token that it won is taken as given. */
  claim(key: string, fingerprint: string, lease: number, { token }: Claim & { token?: string }): Claim {
    const held = this.#held.find((each) => each.key === key && this.clock.time < each.until);
    if (!held) {
      const isNew = typeof token === "string" && this.#held.every((each) => each.token !== token);
      expect(isNew).toBe(true);
      this.#held.push({ key, token: token!, fingerprint, until: this.clock.time + lease });
      return { state: "won", token: token! };
    }
    if (held.record !== undefined) return { state: "done", fingerprint: held.fingerprint, record: held.record };
    return { state: "running", fingerprint: held.fingerprint, retryAfter: held.until - this.clock.time };
  }

  renew(key: string, token: string, lease: number): boolean {
    const held = this.#heldBy(key, token);
    if (!held || held.record !== undefined) return false;
    held.until = this.clock.time + lease;
    return true;
  }

  record(key: string, token: string, record: string, keep: number): boolean {
    const held = this.#heldBy(key, token);
    if (!held || ![undefined, record].includes(held.record)) return false;
    Object.assign(held, { record, until: this.clock.time + keep });
    return true;
  }

  release(key: string, token: string): void {
    const held = this.#heldBy(key, token);
    if (held && held.record === undefined) held.until = this.clock.time;
  }

  #heldBy(key: string, token: string) {
    return this.#held.find((each) => each.key === key && each.token === token && this.clock.time < each.until);
  }
}
