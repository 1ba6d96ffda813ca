import { bulkhead, retry, runWithRetry, waitFixed } from "undaunted";
import { virtualClock } from "undaunted/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

/** A controller of an older make: abort-controller, which React Native bundles, has neither reason nor throwIfAborted. */
function oldController() {
  const listeners = new Set<() => void>();
  const signal = {
    aborted: false,
    addEventListener: (_: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
  };
  return {
    signal: signal as unknown as AbortSignal,
    abort() {
      signal.aborted = true;
      for (const listener of [...listeners]) listener();
    },
  };
}

const isAbort = { name: "AbortError", message: "aborted" };

afterEach(() => vi.unstubAllGlobals());

describe("a signal without a reason", () => {
  it("that has aborted rejects a call with an AbortError, a DOMException", async () => {
    const { signal, abort } = oldController();
    abort();

    const error = await retry(() => 1, { signal })().catch((thrown: unknown) => thrown);

    expect(error).toMatchObject(isAbort);
    expect(error).toBeInstanceOf(DOMException);
  });

  it("that aborts a sleep does so too, and tells onGiveUp of the same error", async () => {
    const { signal, abort } = oldController();
    const seen: unknown[] = [];
    const clock = virtualClock();
    const down = () => Promise.reject(new Error("busy"));
    const onGiveUp = ({ reason, error }: { reason: string; error: unknown }) => seen.push(reason, error);
    const result = retry(down, { signal, clock, wait: waitFixed(1_000), onGiveUp })();
    result.catch(() => {});
    await clock.advance(10);
    abort();

    const error = await result.catch((thrown: unknown) => thrown);

    expect(error).toMatchObject(isAbort);
    await null;
    expect(seen[0]).toBe("aborted");
    expect(seen[1]).toBe(error);
  });

  it("aborts a call although listeners cannot be taken off it", async () => {
    const { signal, abort } = oldController();
    Object.assign(signal, { removeEventListener: undefined });
    const result = retry(() => new Promise(() => {}), { signal })();
    result.catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));

    abort();

    await expect(result).rejects.toMatchObject(isAbort);
  });

  it("is heard by a block through its own signal, which has a reason", async () => {
    const { signal, abort } = oldController();
    let inner: AbortSignal | undefined;
    const result = runWithRetry(
      (context) => {
        inner = context.signal;
        return new Promise(() => {});
      },
      { signal },
    );
    result.catch(() => {});
    abort();

    const error = await result.catch((thrown: unknown) => thrown);

    expect(inner!.reason).toBe(error);
    expect(error).toMatchObject(isAbort);
  });

  it("makes an Error of that name where there is no DOMException", async () => {
    const { signal, abort } = oldController();
    abort();
    vi.stubGlobal("DOMException", undefined);

    const error = await retry(() => 1, { signal })().catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject(isAbort);
  });

  it("ends a wait for a bulkhead's slot", async () => {
    const { signal, abort } = oldController();
    abort();

    await expect(bulkhead({ limit: 1 }).run(() => 1, { signal })).rejects.toMatchObject(isAbort);
  });

  it("ends a wait for a bulkhead's slot that has begun, and frees its place", async () => {
    const { signal, abort } = oldController();
    const slots = bulkhead({ limit: 1, queue: 1 });
    slots.run(() => new Promise(() => {}));
    const waiting = slots.run(() => 1, { signal });
    waiting.catch(() => {});

    abort();

    await expect(waiting).rejects.toMatchObject(isAbort);
    expect(slots.queued).toBe(0);
  });
});

it("a reason of null is the signal's own", async () => {
  const controller = new AbortController();
  controller.abort(null);

  expect(await retry(() => 1, { signal: controller.signal })().catch((thrown: unknown) => [thrown])).toEqual([null]);
});
