import { AsyncLocalStorage } from "node:async_hooks";
import { type IdempotencyStore, idempotent, memoryIdempotencyStore } from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

// Code of the user's runs in the async context of its own call, whoever moves the clock, ends the other call or aborts.

const context = new AsyncLocalStorage<string>();
const lost = Object.assign(new Error("lost"), { code: "ECONNRESET" });

/** Two calls with one key, each in a context of its own; the second waits for the first. Returns who did what, in which context. */
async function twoCalls(fails: boolean) {
  const seen: [what: string, call: string, context: string | undefined][] = [];
  const clock = virtualClock();
  const memory = memoryIdempotencyStore({ clock });
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const see = <T>(what: string, call: string, result?: T): T => {
    seen.push([what, call, context.getStore()]);
    return result as T;
  };
  const call = (id: string) => {
    const watched = Object.fromEntries(
      Object.entries(memory).map(([name, method]) => [
        name,
        (...facts: [never, never, never, never]) => {
          see(`store.${name}`, id);
          if (name === "renew") throw new Error("the store is down");
          return method(...facts);
        },
      ]),
    ) as unknown as IdempotencyStore;
    const once = idempotent(
      async () => {
        see("fn", id);
        await gate;
        if (fails) throw lost;
        return 7n;
      },
      {
        ...{ name: "test", store: watched, clock, lease: 900, inFlight: "wait" as const, maxWait: 60_000 },
        key: () => see("key", id, "k1"),
        fingerprint: () => see("fingerprint", id, "f"),
        onReplay: () => see<void>("onReplay", id),
        onStoreError: () => see<void>("onStoreError", id),
        onFailure: () => see("onFailure", id, "hold" as const),
        wasDone: () => see("wasDone", id, { value: 8n }),
        serialize: (value: bigint) => see("serialize", id, String(value)),
        deserialize: (text) => see("deserialize", id, BigInt(text)),
      },
    );
    return context.run(id, () => once().catch(() => {}));
  };
  const calls = [call("first"), call("second")];
  await context.run("the clock's", () => clock.advance(700));
  context.run("the releaser's", release);
  await context.run("the clock's", () => clock.advance(5_000));
  await Promise.all(calls);
  return seen;
}

describe("code of the user's", () => {
  it.each([
    ["returns", false, ["onReplay", "deserialize"]],
    ["fails", true, ["onFailure", "wasDone", "store.swap"]],
  ])("runs in the async context of its own call where the function %s", async (_how, fails, more) => {
    const seen = await twoCalls(fails);

    expect(seen.filter(([, call, inContext]) => call !== inContext)).toEqual([]);
    const all = ["key", "fingerprint", "fn", "serialize", "onStoreError", "store.claim", "store.renew", "store.record"];
    expect([...new Set(seen.map(([what]) => what))]).toEqual(expect.arrayContaining([...all, ...more]));
  });
});
