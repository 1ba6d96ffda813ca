import { AsyncLocalStorage } from "node:async_hooks";
import { type ObservedEvent, observe, stopAfterAttempt, waitFixed } from "undaunted";
import { retryIterable } from "undaunted/iterable";
import { virtualClock } from "undaunted/testing";
import { expect, it, onTestFinished } from "vitest";
import { runAttemptsIn } from "../../src/common/observe.js";

function record() {
  const events: ObservedEvent[] = [];
  onTestFinished(observe((event) => events.push(event)));
  return events;
}

const cut = Object.assign(new Error("secret"), { code: "ECUT" });

/** Two items, a cut, two items more. */
const source = async function* ({ count }: { count: number }) {
  yield count;
  yield count + 1;
  if (count === 0) throw cut;
};

it("reports a stream as one call, whose attempts are its openings", async () => {
  const events = record();
  const clock = virtualClock();

  const reading = (async () => {
    for await (const _ of retryIterable(source, { name: "feed", wait: waitFixed(10), clock }));
  })();
  await clock.runAll();
  await reading;

  const said = events.map(({ type, name, ...rest }) => [type, name, (rest as { attempt?: number }).attempt]);
  expect(said).toEqual([
    ["attempt", "feed", 1],
    ["retry", "feed", 1],
    ["attempt", "feed", 2],
    ["success", "feed", 2],
  ]);
  expect(new Set(events.map(({ call }) => call)).size).toBe(1);
  expect(events[1]).toMatchObject({ delay: 10, code: "ECUT" });
  expect(JSON.stringify(events)).not.toContain("secret");
});

it("reports that a stream gave up, with its deadline as the reason too", async () => {
  const events = record();
  const clock = virtualClock();
  const failing = async function* () {
    yield await Promise.reject<number>(cut);
  };

  await expect(retryIterable(failing, { stop: stopAfterAttempt(1) }).next()).rejects.toBe(cut);
  const late = retryIterable(failing, { totalTimeout: 5, wait: waitFixed(10), clock }).next();
  await expect(late).rejects.toThrow("the total timeout");

  expect(events.filter(({ type }) => type === "give-up")).toMatchObject([
    { reason: "stopped" },
    { reason: "deadline" },
  ]);
});

it("says nothing of a stream that began before anybody listened", async () => {
  const stream = retryIterable(source, { wait: waitFixed(0) });
  await stream.next();
  const events = record();

  for (let n = 0; n < 4; n++) await stream.next();

  expect(events).toEqual([]);
});

it("opens and reads first inside what is put around attempts", async () => {
  const inside = new AsyncLocalStorage<number>();
  onTestFinished(runAttemptsIn(({ attempt }, run) => inside.run(attempt, run)));
  const seen: (number | undefined)[] = [];

  const stream = retryIterable(
    async function* ({ count }: { count: number }) {
      seen.push(inside.getStore());
      yield count;
      if (count === 0) throw cut;
    },
    { wait: waitFixed(0) },
  );
  for await (const _ of stream);

  expect(seen).toEqual([1, 2]);
});
