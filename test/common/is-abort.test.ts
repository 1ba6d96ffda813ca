import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import axios from "axios";
import got from "got";
import ky from "ky";
import { AttemptTimeoutError, isAbortError, NonRetryableError, retry, retryIfError, runWithRetry } from "undaunted";
import { flaky, instant } from "undaunted/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothLoops } from "../loop/both-loops.js";

const errorWith = (fields: object) => Object.assign(new Error("test"), fields);
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => "nothing",
    (error: unknown) => error,
  );
const aborted = AbortSignal.abort();

/** A signal that has timed out, as `AbortSignal.timeout()` makes one. */
const timedOut = AbortSignal.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));

/** The address of a server that never answers. */
function silent(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function circular(): unknown {
  const error = errorWith({ name: "AbortError" });
  error.cause = error;
  return error;
}

const server = createServer(() => {});

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("isAbortError", () => {
  it.each<[string, () => unknown]>([
    ["the DOM's", () => aborted.reason],
    ["that of timers/promises", () => caught(sleep(1_000, 0, { signal: aborted }))],
    ["fetch's", () => caught(fetch("http://127.0.0.1:9/", { signal: aborted }))],
    ["axios'", () => caught(axios.get("http://127.0.0.1:9/", { signal: aborted as never }))],
    ["axios' of a name alone", () => ({ name: "CanceledError" })],
    ["Node's code", () => errorWith({ code: "ABORT_ERR" })],
    ["undici's codes", () => errorWith({ code: "UND_ERR_ABORTED" })],
    ["undici's older code", () => errorWith({ code: "UND_ERR_ABORT" })],
    ["axios' code", () => errorWith({ code: "ERR_CANCELED" })],
    ["got's", () => caught(got("http://127.0.0.1:9/", { signal: aborted, retry: { limit: 0 } }))],
    ["axios' under a signal of the caller's", () => errorWith({ code: "ERR_CANCELED", config: { signal: aborted } })],
    ["one whose own cause it is", () => circular()],
    [
      "one for another reason, behind which there was a timeout",
      () => errorWith({ name: "AbortError", cause: new Error("shutting down", { cause: timedOut.reason }) }),
    ],
    ["one whose cause is the caller's own reason", () => errorWith({ name: "AbortError", cause: new Error("left") })],
  ])("says yes to an abort: %s", async (_, make) => {
    expect(isAbortError(await make())).toBe(true);
  });

  it.each<[string, () => unknown]>([
    ["any error", () => new Error("busy")],
    ["a string", () => "AbortError"],
    ["undefined", () => undefined],
    ["null", () => null],
    ["an abort that is only a cause", () => new Error("failed", { cause: aborted.reason })],
    ["a timeout's signal", () => timedOut.reason],
    ["timers/promises under a timeout's signal", () => caught(sleep(1_000, 0, { signal: timedOut }))],
    [
      "timers/promises under an attempt's timeout",
      () => caught(sleep(1_000, 0, { signal: AbortSignal.abort(new AttemptTimeoutError(5, 1)) })),
    ],
    [
      "a lost connection of ioredis, which has its command",
      () => errorWith({ name: "AbortError", command: { name: "get", args: ["key"] } }),
    ],
    ["axios under a timeout's signal", () => caught(axios.get("http://127.0.0.1:9/", { signal: timedOut as never }))],
    [
      "axios under a signal that times out later",
      () => caught(axios.get(silent(), { signal: AbortSignal.timeout(1) })),
    ],
    [
      "got under a timeout's signal",
      () => caught(got("http://127.0.0.1:9/", { signal: timedOut, retry: { limit: 0 } })),
    ],
    ["ky under a timeout's signal", () => caught(ky("http://127.0.0.1:9/", { signal: timedOut, retry: 0 }).text())],
    [
      "an abort around an abort around a timeout",
      () => errorWith({ name: "CanceledError", cause: errorWith({ name: "AbortError", cause: timedOut.reason }) }),
    ],
    ["an attempt's own timeout", () => new AttemptTimeoutError(5, 1)],
    [
      "what refuses to be read",
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error("refused");
            },
          },
        ),
    ],
  ])("says no to %s", async (_, make) => {
    const made = make();
    // A proxy that refuses to be read cannot be awaited either.
    expect(isAbortError(made instanceof Promise ? await made : made)).toBe(false);
  });
});

describe.each(bothLoops)("by default %s", (_name, wrap) => {
  it("tries an abort no more, and gives up on it as not retryable", async () => {
    const reasons: string[] = [];
    const load = flaky([aborted.reason, "too late"]);
    const onGiveUp = ({ reason }: { reason: string }) => reasons.push(reason);

    await expect(wrap(load, { ...instant, onGiveUp })()).rejects.toBe(aborted.reason);
    expect(reasons).toEqual(["not-retryable"]);
  });

  it("tries a timeout and any other error again", async () => {
    expect(await wrap(flaky([timedOut.reason, new Error("busy"), "ok"]), instant)()).toBe("ok");
  });

  it("lets an explicit predicate decide alone", async () => {
    const load = flaky([aborted.reason, "ok"]);

    expect(await wrap(load, { ...instant, retryIf: retryIfError(() => true) })()).toBe("ok");
  });
});

it("an abort that an inner policy gave up on is one for the outer policy too", async () => {
  const load = flaky([aborted.reason, "too late"]);

  await expect(retry(() => runWithRetry(load, instant), instant)()).rejects.toBe(aborted.reason);
  expect(load.calls).toHaveLength(1);
});

it("a NonRetryableError is none", () => {
  expect(isAbortError(new NonRetryableError("gone", { cause: aborted.reason }))).toBe(false);
});
