import type { Stop } from "./attempt.js";

/** What `testRetries` of `undaunted/testing` asks of every policy while it is on. */
export interface TestSwitch {
  /** Takes the place of each policy's own. */
  readonly stop?: Stop | undefined;
  /** Whether a policy sleeps for as long as `wait`, hints and a `TryAgainError` say; else not at all. */
  readonly waits: boolean;
}

// On globalThis, so that an ESM and a CJS copy of the package agree.
const KEY = Symbol.for("undaunted.testRetries");
const home = globalThis as { [KEY]?: TestSwitch | undefined };

/** The switch, where it is on. Asked for once another attempt is wanted: a call that succeeds at once never looks. */
export function testSwitch(): TestSwitch | undefined {
  return home[KEY];
}

/** Turns the switch on, or off, and returns what it was before. */
export function setTestSwitch(next: TestSwitch | undefined): TestSwitch | undefined {
  const last = home[KEY];
  home[KEY] = next;
  return last;
}
