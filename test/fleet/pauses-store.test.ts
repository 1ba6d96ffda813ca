import { describe, expect, it } from "vitest";
import type { AskedPause, FleetReply, PauseReply, PauseRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";

const BEGIN = 1_000_000;
const [A, B, C] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];

/** A store, and how long what it replies has to be. */
function storing() {
  const store = fleetStore();
  let nonce = 0;
  const exchange = (now: number, asked: readonly AskedPause[] = [], more: Partial<PauseRequest> = {}) => {
    const request: PauseRequest = {
      kind: "pause",
      key: "pauses",
      reporter: 1,
      nonce: ++nonce,
      tick: 0,
      age: 0,
      most: 1_000,
      epoch: 0,
      asked,
      ...more,
    };
    const { reply, news } = store.exchange(request, now);
    return { reply: reply as FleetReply & PauseReply, news };
  };
  const pauses = (now: number, tick = 0) => exchange(now, [], { tick, age: tick && now - tick }).reply.pauses;
  return { exchange, pauses };
}

describe("the store of pauses", () => {
  it("says what is left of a pause, and how long it is, and says it to everybody once", () => {
    const { exchange, pauses } = storing();

    const { reply, news } = exchange(BEGIN, [{ key: A, ms: 30_000 }]);

    const pause = { key: A, remaining: 30_000, length: 30_000 };
    expect(reply).toMatchObject({ kind: "pause", tick: BEGIN, stretch: 1, known: 1, pauses: [pause] });
    expect(news).toEqual({ kind: "pause", epoch: 1, pauses: [pause] });
    expect(pauses(BEGIN + 29_999)).toEqual([{ ...pause, remaining: 1 }]);
    expect(exchange(BEGIN + 29_999).news).toBeUndefined();
    expect(pauses(BEGIN + 30_000)).toEqual([]);
  });

  it("says the newest first, and to one who has heard before only what has changed since", () => {
    const { exchange, pauses } = storing();
    exchange(BEGIN, [{ key: A, ms: 30_000 }]);
    exchange(BEGIN + 10, [{ key: B, ms: 30_000 }]);
    exchange(BEGIN + 20, [{ key: C, ms: 30_000 }]);
    exchange(BEGIN + 30, [{ key: A, ms: 60_000 }]);
    const keys = (tick: number) => pauses(BEGIN + 100, tick).map(({ key }) => key);

    expect(keys(0)).toEqual([A, C, B]);
    expect(keys(BEGIN + 10)).toEqual([A, C, B]);
    expect(keys(BEGIN + 11)).toEqual([A, C]);
    expect(keys(BEGIN + 31)).toEqual([]);
    // A tick of another store's, or of a clock that was set back.
    expect(keys(BEGIN + 101)).toEqual([A, C, B]);
  });

  it("keeps a longer pause, and takes one that is longer by a second, or by a twentieth of a short one", () => {
    const { exchange, pauses } = storing();
    exchange(BEGIN, [
      { key: A, ms: 30_000 },
      { key: B, ms: 1_000 },
    ]);

    expect(exchange(BEGIN, [{ key: A, ms: 29_000 }]).news).toBeUndefined();
    expect(exchange(BEGIN, [{ key: A, ms: 31_000 }]).news).toBeUndefined();
    expect(exchange(BEGIN, [{ key: B, ms: 1_052 }]).news).toBeUndefined();
    expect(exchange(BEGIN, [{ key: A, ms: 31_001 }]).news).toBeDefined();
    expect(exchange(BEGIN, [{ key: B, ms: 1_053 }]).news).toBeDefined();
    expect(pauses(BEGIN).map(({ length }) => length)).toEqual([1_053, 31_001]);
  });

  it("takes one that is shorter than another that is over", () => {
    const { exchange } = storing();
    exchange(BEGIN, [{ key: A, ms: 1_000 }]);

    expect(exchange(BEGIN + 1_000, [{ key: A, ms: 20 }]).reply.pauses).toEqual([{ key: A, remaining: 20, length: 20 }]);
  });

  it.each([0, -1])("takes none of %d ms", (ms) => {
    const { exchange } = storing();

    expect(exchange(BEGIN, [{ key: A, ms }])).toMatchObject({ reply: { pauses: [] } });
  });

  it("takes no more than a day", () => {
    const { exchange, pauses } = storing();
    const day = { key: A, remaining: 86_400_000, length: 86_400_000 };

    expect(exchange(BEGIN, [{ key: A, ms: 1e15 }]).news).toEqual({ kind: "pause", epoch: 1, pauses: [day] });
    expect(pauses(BEGIN + 86_399_999)).toHaveLength(1);
    expect(pauses(BEGIN + 86_400_000)).toEqual([]);
  });

  it("takes nothing of what comes again, or late", () => {
    const { exchange, pauses } = storing();
    exchange(BEGIN, [], { nonce: 77 });

    exchange(BEGIN, [{ key: A, ms: 30_000 }], { nonce: 77 });
    exchange(BEGIN + 1_500, [{ key: B, ms: 30_000 }], { tick: BEGIN, age: 499 });
    exchange(BEGIN + 1_500, [{ key: C, ms: 30_000 }], { tick: BEGIN, age: 500 });

    expect(pauses(BEGIN + 1_500).map(({ key }) => key)).toEqual([C]);
  });

  it("keeps the 1,000 that were told last, and none that is over in the place of another", () => {
    const { exchange, pauses } = storing();
    const keyOf = (n: number) => n.toString(16).padStart(64, "0");
    exchange(
      BEGIN,
      Array.from({ length: 999 }, (_, n) => ({ key: keyOf(n), ms: 30_000 })),
    );
    exchange(BEGIN, [{ key: A, ms: 1 }]);
    const kept = () => {
      const keys = pauses(BEGIN + 10).map(({ key }) => key);
      return [keys.length, keys[0], keys.at(-1)];
    };

    exchange(BEGIN + 10, [{ key: B, ms: 30_000 }]);
    expect(kept()).toEqual([1_000, B, keyOf(0)]);
    exchange(BEGIN + 10, [{ key: C, ms: 30_000 }]);
    expect(kept()).toEqual([1_000, C, keyOf(1)]);
  });

  it("forgets nothing of a pause longer than a minute while nobody asks, and all of it when that is over", () => {
    const { exchange, pauses } = storing();
    exchange(BEGIN, [
      { key: A, ms: 100_000 },
      { key: B, ms: 10 },
    ]);

    expect(pauses(BEGIN + 99_999)).toEqual([{ key: A, remaining: 1, length: 100_000 }]);
    exchange(BEGIN + 99_999, [{ key: B, ms: 10 }]);
    expect(pauses(BEGIN + 100_000)).toHaveLength(1);
  });

  it("lets a pause last as long as it was to where its clock is set back", () => {
    const { exchange, pauses } = storing();
    exchange(BEGIN, [{ key: A, ms: 30_000 }]);

    expect(pauses(BEGIN - 1_000)).toEqual([{ key: A, remaining: 30_000, length: 30_000 }]);
    expect(pauses(BEGIN + 10_000)).toEqual([{ key: A, remaining: 20_000, length: 30_000 }]);
    expect(pauses(BEGIN - 500_000)).toEqual([{ key: A, remaining: 20_000, length: 30_000 }]);
    expect(pauses(BEGIN - 490_000)).toEqual([{ key: A, remaining: 10_000, length: 30_000 }]);
    expect(pauses(BEGIN - 490_000, BEGIN - 495_000)).toEqual([]);
    expect(pauses(BEGIN - 480_000)).toEqual([]);
  });

  it("knows how many processes there are, and stretches what they exchange", () => {
    const { exchange } = storing();
    let last: PauseReply | undefined;
    for (let n = 0; n < 200; n++) last = exchange(BEGIN + n * 10, [], { reporter: n % 20, most: 50 }).reply;

    expect(last!.known).toBeGreaterThanOrEqual(18);
    expect(last!.stretch).toBeGreaterThan(2);
  });
});
