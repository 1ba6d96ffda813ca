import type { Stop } from "./attempt.js";
import { sharedUnder } from "./shared.js";

/** What `testRetries` of `undaunted/testing` asks of every policy while it is on. */
export interface TestSwitch {
  /** Takes the place of each policy's own. */
  readonly stop?: Stop | undefined;
  /** Whether a policy sleeps for as long as `wait`, hints and a `TryAgainError` say; else not at all. */
  readonly waits: boolean;
}

const slot = /* @__PURE__ */ sharedUnder<{ on?: TestSwitch | undefined }>("testRetries", {});

/** The switch, where it is on. Asked for once another attempt is wanted: a call that succeeds at once never looks. */
export function testSwitch(): TestSwitch | undefined {
  return slot.on;
}

/** Turns the switch on, or off, and returns what it was before. */
export function setTestSwitch(next: TestSwitch | undefined): TestSwitch | undefined {
  const last = slot.on;
  slot.on = next;
  return last;
}
