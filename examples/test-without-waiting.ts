// How do I test code that waits for hours between attempts?
import assert from "node:assert/strict";
import { retry, waitExponential } from "undaunted";
import { flaky, instant, virtualClock } from "undaunted/testing";

const HOUR = 3_600_000;

const makeUpload = (send: (batch: string) => string) => retry(send, { wait: waitExponential({ base: HOUR }) });

// Where delays do not matter, take them away.
const send = flaky([new Error("offline"), "sent"]);
assert.equal(await makeUpload(send).with(instant)("batch 1"), "sent");
assert.equal(send.calls.length, 2);

// Where they do, let virtual time pass.
const clock = virtualClock();
const result = makeUpload(flaky([new Error("offline"), new Error("offline"), "sent"])).with({ clock })("batch 2");
await clock.runAll();
assert.equal(await result, "sent");
assert.equal(clock.now(), 3 * HOUR);

console.log(`${clock.now() / HOUR} hours went by in no time`);

// prints:
// 3 hours went by in no time
