import { retry, waitNone } from "undaunted";
import { type IdempotencyStore, idempotent } from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { expect, it, vi } from "vitest";

/** A store that writes in the caller's transaction, as far as a call can tell. */
function storeInTransaction() {
  return {
    claim: vi.fn<IdempotencyStore["claim"]>(async () => ({ state: "won", token: "t", inTransaction: true })),
    renew: vi.fn<IdempotencyStore["renew"]>(async () => true),
    record: vi.fn<IdempotencyStore["record"]>(async () => true),
    release: vi.fn<IdempotencyStore["release"]>(async () => {}),
  };
}

it("in the caller's transaction what cannot be recorded was not done: the store's error is the call's, at once", async () => {
  const store = storeInTransaction();
  const lost = Object.assign(new Error("connection lost"), { code: "ECONNRESET" });
  store.record.mockRejectedValueOnce(lost);
  const call = idempotent(async () => "done", { key: () => "k", name: "test", store });

  await expect(call()).rejects.toBe(lost);

  expect(store.record).toHaveBeenCalledTimes(1);
});

it("in the caller's transaction a call that could not be recorded is tried again", async () => {
  const store = storeInTransaction();
  store.record.mockRejectedValueOnce(new Error("connection lost"));
  const call = retry(
    idempotent(async () => "done", { key: () => "k", name: "test", store }),
    { wait: waitNone },
  );

  expect(await call()).toBe("done");
});

it("in the caller's transaction a key needs no renewing", async () => {
  const store = storeInTransaction();
  const clock = virtualClock();
  const call = idempotent(async () => "done", { key: () => "k", name: "test", store, lease: 30, clock });

  const result = call();
  await clock.advance(100);
  await result;

  expect(store.renew).not.toHaveBeenCalled();
  expect(clock.pending).toBe(0);
});

it("in the caller's transaction a key that cannot be freed is nobody's concern: the rollback frees it", async () => {
  const store = storeInTransaction();
  store.release.mockRejectedValueOnce(new Error("connection lost"));
  const onStoreError = vi.fn();
  const failure = new Error("no money");
  const call = idempotent(() => Promise.reject(failure), { key: () => "k", name: "test", store, onStoreError });

  await expect(call()).rejects.toBe(failure);

  expect(onStoreError).not.toHaveBeenCalled();
});
