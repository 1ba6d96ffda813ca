import { type IdempotencyStore, idempotent, newIdempotencyKey } from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import { deferred } from "./deferred.js";
import { KINDS_OF_STORE, named, type Stores } from "./kinds-of-store.js";

// Time is the server's. What lasts for an hour does not end during a test, and what lasts for 1 ms is waited for.
const HOUR = 3_600_000;
const POLLING = { timeout: PATIENCE, interval: 2 };

/** Takes a key that must be free, and answers the token. */
async function take(store: IdempotencyStore, key: string, lease = HOUR, fingerprint = "f"): Promise<string> {
  const claim = await store.claim(key, fingerprint, lease);
  if (claim.state !== "won") throw new Error(`the key is not free: ${JSON.stringify(claim)}`);
  return claim.token;
}

/** The same, as soon as it is free. */
function takeOnceFree(store: IdempotencyStore, key: string, fingerprint?: string): Promise<string> {
  return vi.waitFor(() => take(store, key, HOUR, fingerprint), POLLING);
}

for (const { name, missing, open } of KINDS_OF_STORE) {
  describe.skipIf(missing)(named(`a store in ${name}`, missing), () => {
    let stores: Stores;
    let store: Required<IdempotencyStore>;
    let key: string;

    beforeAll(async () => {
      stores = await open();
      store = stores.store;
    });

    afterAll(() => stores?.close());

    // A key for each test: they all share the server.
    const test = (what: string, body: () => Promise<void>) =>
      it(what, async () => {
        key = newIdempotencyKey();
        await body();
      });

    describe("claim", () => {
      test("gives a free key to the first who asks", async () => {
        const claim = await store.claim(key, "f", HOUR);

        expect(claim).toEqual({ state: "won", token: expect.stringMatching(/./) });
      });

      test("answers who comes meanwhile what the first one asked for, and how long its lease lasts", async () => {
        await take(store, key, HOUR, "first");

        const claim = await store.claim(key, "second", 1);

        expect(claim).toEqual({ state: "running", fingerprint: "first", retryAfter: expect.any(Number) });
        const { retryAfter } = claim as { retryAfter: number };
        expect(retryAfter).toBeGreaterThan(HOUR - 60_000);
        expect(retryAfter).toBeLessThanOrEqual(HOUR);
      });

      test("answers who comes later what the first one asked for, and what it recorded", async () => {
        const token = await take(store, key, HOUR, "first");
        await store.record(key, token, "done", HOUR);

        expect(await store.claim(key, "second", 1)).toEqual({ state: "done", fingerprint: "first", record: "done" });
      });

      test("does not let who is refused change anything", async () => {
        const token = await take(store, key, HOUR, "first");
        await store.claim(key, "second", 1);

        expect(await store.claim(key, "third", 1)).toMatchObject({ state: "running", fingerprint: "first" });
        expect(await store.record(key, token, "done", HOUR)).toBe(true);
      });

      test("gives each run a token of its own", async () => {
        const first = await take(store, key, 1);
        const second = await takeOnceFree(store, key);
        const other = await take(store, newIdempotencyKey());

        expect(new Set([first, second, other]).size).toBe(3);
      });

      test("gives the key away again when the lease is over, for whatever is asked then", async () => {
        await take(store, key, 1, "first");

        await takeOnceFree(store, key, "second");

        expect(await store.claim(key, "third", 1)).toMatchObject({ state: "running", fingerprint: "second" });
      });

      test("gives the key away again when the record is over, without it", async () => {
        const token = await take(store, key);
        await store.record(key, token, "done", 1);

        await takeOnceFree(store, key);

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });

      test("gives the key to one of many who ask at once", async () => {
        const claims = await Promise.all(
          Array.from({ length: 20 }, (_, n) => (n % 2 ? store : stores.same).claim(key, "f", HOUR)),
        );

        expect(claims.filter(({ state }) => state === "won")).toHaveLength(1);
        expect(claims.filter(({ state }) => state === "running")).toHaveLength(19);
      });

      test("gives the key to one of many who ask at once when a lease is over", async () => {
        await take(store, key, 1);

        const claims = await vi.waitFor(async () => {
          const all = await Promise.all(
            Array.from({ length: 20 }, (_, n) => (n % 2 ? store : stores.same).claim(key, "f", HOUR)),
          );
          expect(all.some(({ state }) => state === "won")).toBe(true);
          return all;
        }, POLLING);

        expect(claims.filter(({ state }) => state === "won")).toHaveLength(1);
      });

      test("takes parts of a ms, and times up to Number.MAX_SAFE_INTEGER", async () => {
        await take(store, key, 0.1);
        const token = await takeOnceFree(store, key);
        expect(await store.renew(key, token, 0.1)).toBe(true);
        const last = await vi.waitFor(() => take(store, key, Number.MAX_SAFE_INTEGER), POLLING);

        expect(await store.renew(key, last, Number.MAX_SAFE_INTEGER)).toBe(true);
        expect(await store.record(key, last, "done", Number.MAX_SAFE_INTEGER)).toBe(true);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done" });
      });
    });

    describe("renew", () => {
      test("lets the lease last from now on", async () => {
        const token = await take(store, key, HOUR);

        expect(await store.renew(key, token, 2 * HOUR)).toBe(true);

        const { retryAfter } = (await store.claim(key, "f", 1)) as { retryAfter: number };
        expect(retryAfter).toBeGreaterThan(HOUR);
        expect(retryAfter).toBeLessThanOrEqual(2 * HOUR);
      });

      test("lets the lease end earlier where it is told so", async () => {
        const token = await take(store, key, HOUR);

        await store.renew(key, token, 1);

        await takeOnceFree(store, key);
      });

      test("keeps what the run asked for", async () => {
        const token = await take(store, key, HOUR, "first");

        await store.renew(key, token, HOUR);

        expect(await store.claim(key, "second", 1)).toMatchObject({ state: "running", fingerprint: "first" });
      });

      test("refuses a token that holds no lease", async () => {
        await take(store, key, HOUR);

        expect(await store.renew(key, newIdempotencyKey(), 1)).toBe(false);
        expect(await store.renew(newIdempotencyKey(), newIdempotencyKey(), 1)).toBe(false);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });

      test("leaves a record alone", async () => {
        const token = await take(store, key);
        await store.record(key, token, "done", HOUR);

        expect(await store.renew(key, token, 1)).toBe(false);

        const { state, token: won } = (await store.claim(key, "f", HOUR)) as { state: string; token?: string };
        expect([state, won]).toEqual(["done", undefined]);
        expect(await stillHeld(store, key)).toBe(true);
      });

      test("does not bring back a lease that is over", async () => {
        const token = await take(store, key, HOUR);
        await store.renew(key, token, 1);

        await vi.waitFor(async () => expect(await store.renew(key, token, 1)).toBe(false), POLLING);

        await take(store, key);
      });
    });

    describe("record", () => {
      test("answers that it is on record, also where it is asked twice", async () => {
        const token = await take(store, key);

        expect(await store.record(key, token, "done", HOUR)).toBe(true);
        expect(await store.record(key, token, "done", HOUR)).toBe(true);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "done" });
      });

      test("keeps it for the time that is given, not for the lease's", async () => {
        const token = await take(store, key, HOUR);
        await store.record(key, token, "done", 1);

        await takeOnceFree(store, key);
      });

      test("keeps it for longer than the lease", async () => {
        const token = await take(store, key, HOUR);
        await store.record(key, token, "done", HOUR);

        expect(await stillHeld(store, key)).toBe(true);
      });

      test("does not put another record in the place of one", async () => {
        const token = await take(store, key);
        await store.record(key, token, "first", HOUR);

        expect(await store.record(key, token, "second", HOUR)).toBe(false);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "first" });
      });

      test("refuses a token that holds no lease", async () => {
        const token = await take(store, key);

        expect(await store.record(key, newIdempotencyKey(), "done", HOUR)).toBe(false);
        expect(await store.record(newIdempotencyKey(), token, "done", HOUR)).toBe(false);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });

      test("refuses a run whose lease is over", async () => {
        const token = await take(store, key, HOUR);
        await store.renew(key, token, 1);
        await vi.waitFor(async () => expect(await store.renew(key, token, 1)).toBe(false), POLLING);

        expect(await store.record(key, token, "done", HOUR)).toBe(false);
        await take(store, key);
      });

      test("does not bring back a record that is over", async () => {
        const token = await take(store, key);
        await vi.waitFor(async () => {
          // Again until the one before it is over.
          expect(await store.record(key, token, "done", 1)).toBe(false);
        }, POLLING);

        await take(store, key);
      });

      test("keeps a record of several MB, of any characters, as it is", async () => {
        const record = JSON.stringify({ text: "é🔑'\"\\\n\0\ud800 %s $1 \u2028".repeat(200_000) });
        const token = await take(store, key);

        expect(await store.record(key, token, record, HOUR)).toBe(true);

        const claim = (await store.claim(key, "f", 1)) as { record: string };
        // Not toEqual, which would print it.
        expect(claim.record === record).toBe(true);
        expect(await store.record(key, token, record, HOUR)).toBe(true);
      });

      test("keeps an empty record", async () => {
        const token = await take(store, key);
        await store.record(key, token, "", HOUR);

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "" });
      });
    });

    describe("release", () => {
      test("frees the key", async () => {
        const token = await take(store, key);

        await store.release(key, token);

        await take(store, key);
      });

      test("leaves the key to another run", async () => {
        await take(store, key);

        await store.release(key, newIdempotencyKey());

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });

      test("leaves a record alone", async () => {
        const token = await take(store, key);
        await store.record(key, token, "done", HOUR);

        await store.release(key, token);

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "done" });
      });

      test("leaves a key alone that is not the token's", async () => {
        const token = await take(store, key);

        await store.release(newIdempotencyKey(), token);

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });

      test("does nothing to a key that is free", async () => {
        const token = await take(store, key);
        await store.release(key, token);

        await store.release(key, token);

        await take(store, key);
      });
    });

    describe("peek", () => {
      test("returns nothing for a free key, and takes it for nobody", async () => {
        expect(await store.peek(key)).toBeUndefined();

        await take(store, key);
      });

      test("returns what a claim would, and changes nothing", async () => {
        const token = await take(store, key, HOUR, "first");
        const running = await store.peek(key);
        await store.record(key, token, "done 🔑", HOUR);

        expect(running).toEqual({ state: "running", fingerprint: "first", retryAfter: expect.any(Number) });
        expect((running as { retryAfter: number }).retryAfter).toBeGreaterThan(HOUR - 60_000);
        expect(await stores.same.peek(key)).toEqual({ state: "done", fingerprint: "first", record: "done 🔑" });
      });

      test("returns nothing once the time of a key is over", async () => {
        await take(store, key, 1);

        await vi.waitFor(async () => expect(await store.peek(key)).toBeUndefined(), PATIENCE);
      });
    });

    describe("swap", () => {
      test("puts a record in the place of another, for the time that is given", async () => {
        const token = await take(store, key, HOUR, "first");
        await store.record(key, token, "doubt 🔑", 50 * HOUR);

        expect(await stores.same.swap(key, "doubt 🔑", "done 🔑", HOUR)).toBe(true);
        expect(await store.claim(key, "f", 1)).toEqual({ state: "done", fingerprint: "first", record: "done 🔑" });
        expect(await store.swap(key, "done 🔑", "over", 1)).toBe(true);
        await takeOnceFree(store, key);
      });

      test("frees the key where there is nothing to put there", async () => {
        const token = await take(store, key);
        await store.record(key, token, "doubt", HOUR);

        expect(await store.swap(key, "doubt", undefined, HOUR)).toBe(true);
        await take(store, key);
      });

      test("changes nothing where another record stands there, or none", async () => {
        expect(await store.swap(key, "doubt", "done", HOUR)).toBe(false);
        const token = await take(store, key);
        for (const to of ["done", undefined]) expect(await store.swap(key, "", to, HOUR)).toBe(false);
        await store.record(key, token, "doubt", HOUR);

        for (const to of ["done", undefined]) expect(await store.swap(key, "DOUBT ", to, HOUR)).toBe(false);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "doubt" });
      });

      test("changes nothing where the record is over", async () => {
        const token = await take(store, key);
        await store.record(key, token, "doubt", 1);
        await vi.waitFor(async () => expect(await store.peek(key)).toBeUndefined(), PATIENCE);

        for (const to of ["done", undefined]) expect(await store.swap(key, "doubt", to, HOUR)).toBe(false);
        await take(store, key);
      });

      test("lets one of many win", async () => {
        const token = await take(store, key);
        await store.record(key, token, "doubt", HOUR);

        const swaps = await Promise.all(
          Array.from({ length: 10 }, (_, n) => (n % 2 ? store : stores.same).swap(key, "doubt", `done ${n}`, HOUR)),
        );

        expect(swaps.filter(Boolean)).toHaveLength(1);
        expect(await store.peek(key)).toMatchObject({ record: `done ${swaps.indexOf(true)}` });
      });
    });

    describe("a run whose lease was lost", () => {
      test("can neither renew nor record nor release over its successor", async () => {
        const lost = await take(store, key, 1);
        const successor = await takeOnceFree(store, key);

        expect(await store.renew(key, lost, 1)).toBe(false);
        expect(await store.record(key, lost, "first", 1)).toBe(false);
        await store.release(key, lost);

        expect(await stillHeld(store, key)).toBe(true);
        expect(await store.record(key, successor, "second", HOUR)).toBe(true);
      });

      test("can do nothing to its successor's record either", async () => {
        const lost = await take(store, key, 1);
        const successor = await takeOnceFree(store, key);
        await store.record(key, successor, "second", HOUR);

        expect(await store.renew(key, lost, 1)).toBe(false);
        expect(await store.record(key, lost, "first", 1)).toBe(false);
        expect(await store.record(key, lost, "second", 1)).toBe(false);
        await store.release(key, lost);

        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done", record: "second" });
      });
    });

    describe("keys", () => {
      test("of strange characters are kept apart", async () => {
        const strange = [
          ...["", " ", "  ", "\t", "\n", "'", '"', "\\", "\\\\", "%", "%s", "$1", "?", ":", "*", "{a}", "--", ";"],
          ...[
            "a",
            "A",
            "a ",
            "a  ",
            "a\t",
            "é",
            "e\u0301",
            "ß",
            "ss",
            "İ",
            "i",
            "ключ",
            "鍵",
            "🔑",
            "\u200b",
            "\u202e",
            "\ufeff",
            "\uffff",
          ],
          ...["__proto__", "constructor", "null", "undefined", "NaN", "0", "00", "k".repeat(2_000)],
        ];
        const keys = strange.map((each) => key + each);

        const tokens = await Promise.all(keys.map((each) => take(store, each)));

        await Promise.all(keys.map((each, n) => store.record(each, tokens[n]!, `record ${n}`, HOUR)));
        const claims = await Promise.all(keys.map((each) => store.claim(each, "f", 1)));
        expect(claims).toEqual(keys.map((_, n) => ({ state: "done", fingerprint: "f", record: `record ${n}` })));
      });

      test("are shared with whoever uses the same place, and with nobody else", async () => {
        const token = await take(store, key);

        expect(await stores.same.claim(key, "f", 1)).toMatchObject({ state: "running" });
        await take(stores.other, key);
        expect(await stores.same.record(key, token, "done", HOUR)).toBe(true);
        expect(await store.claim(key, "f", 1)).toMatchObject({ state: "done" });
        expect(await stores.other.claim(key, "f", 1)).toMatchObject({ state: "running" });
      });
    });

    describe("idempotent", () => {
      test("runs once, and gives a later call the result", async () => {
        const fn = vi.fn(async (order: { id: string }) => ({ receipt: `${order.id} 🔑`, at: null }));
        const pay = idempotent(fn, { key: () => key, name: "test", store });
        const again = idempotent(fn, { key: () => key, name: "test", store: stores.same });

        expect(await pay({ id: "A1" })).toEqual({ receipt: "A1 🔑", at: null });
        expect(await again({ id: "A1" })).toEqual({ receipt: "A1 🔑", at: null });
        expect(fn).toHaveBeenCalledTimes(1);
      });

      test("refuses other arguments", async () => {
        const pay = idempotent(async (_amount: number) => "paid", { key: () => key, name: "test", store });
        await pay(1);

        await expect(pay(2)).rejects.toMatchObject({ code: "ERR_IDEMPOTENCY_MISMATCH" });
      });

      test("frees the key after a failure", async () => {
        const busy = new Error("busy");
        const fn = vi.fn(async () => "done").mockRejectedValueOnce(busy);
        const once = idempotent(fn, { key: () => key, name: "test", store });

        await expect(once()).rejects.toBe(busy);
        expect(await once()).toBe("done");
      });

      test("holds an undecided key until it is settled, from whatever process", async () => {
        const lost = Object.assign(new Error("lost"), { code: "ECONNRESET" });
        const once = idempotent((): Promise<unknown> => Promise.reject(lost), { key: () => key, name: "test", store });
        const again = idempotent(async (): Promise<unknown> => "again", {
          key: () => key,
          name: "test",
          store: stores.same,
        });
        await expect(once()).rejects.toBe(lost);

        await expect(again()).rejects.toMatchObject({
          code: "ERR_IDEMPOTENCY_UNDECIDED",
          cause: { code: "ECONNRESET" },
        });
        expect(await again.peek(key)).toMatchObject({ state: "undecided" });
        expect(await again.settle(key, { at: new Date(0), id: 7n })).toBe(true);
        expect(await once()).toEqual({ at: new Date(0), id: 7n });
        expect(await again.forget(key)).toBe(true);
        expect(await again()).toBe("again");
      });

      test("lets a call wait for the one that runs", async () => {
        const fn = vi.fn(async () => "done");
        const once = idempotent(fn, { key: () => key, name: "test", store, inFlight: "wait" });

        expect(await Promise.all([once(), once(), once()])).toEqual(["done", "done", "done"]);
        expect(fn).toHaveBeenCalledTimes(1);
      });

      test("keeps its lease while it runs", async () => {
        const clock = virtualClock();
        const work = deferred<string>();
        const fn = vi.fn(() => work.promise);
        const renew = vi.fn(store.renew);
        const once = idempotent(fn, { key: () => key, name: "test", store: { ...store, renew }, lease: HOUR, clock });
        const result = once();
        await vi.waitFor(() => expect(fn).toHaveBeenCalled(), POLLING);

        for (let turn = 1; turn <= 3; turn++) {
          await clock.advance(HOUR / 3);
          await vi.waitFor(() => expect(renew.mock.settledResults[turn - 1]?.value).toBe(true), POLLING);
        }
        work.resolve("done");

        expect(await result).toBe("done");
        expect(await once()).toBe("done");
      });
    });
  });
}

/** Whether the key is held for longer than it would be if what has just been asked had changed its time to 1 ms. */
async function stillHeld(store: IdempotencyStore, key: string): Promise<boolean> {
  const other = newIdempotencyKey();
  const token = await take(store, other);
  await store.renew(other, token, 1);
  await takeOnceFree(store, other);
  return (await store.claim(key, "f", 1)).state !== "won";
}
