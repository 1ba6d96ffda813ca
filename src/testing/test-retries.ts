import { setTestSwitch, type TestSwitch, testSwitch } from "../common/test-switch.js";
import { BOOLEAN, COUNT, readOptions } from "../common/validate.js";

/** The options of `testRetries`. What is left out stays as it is. */
export interface TestRetriesOptions {
  /** Attempts of each call, a whole number from 1 or Infinity, whatever its `stop` says. 1: nothing is retried. */
  attempts?: number | undefined;
  /** `false`: no policy sleeps between attempts, whatever its `wait`, a server's hint or a `TryAgainError` says. */
  waits?: boolean | undefined;
}

/** Ends what `testRetries` began; `using` does so at the end of a block, where there is `Symbol.dispose`. */
export type TestRetries = { restore(): void } & DisposableBy<SymbolConstructor>;

// So that a program whose `lib` has no `Symbol.dispose` compiles, too.
type DisposableBy<Symbols> = Symbols extends { readonly dispose: infer Key extends symbol }
  ? { readonly [K in Key]: () => void }
  : unknown;

interface Setting extends TestSwitch {
  readonly below: TestSwitch | undefined;
  over: boolean;
}

/**
 * Changes how often every policy tries, and whether it sleeps, for a whole test run: wrapped functions, decorated
 * methods, blocks and HTTP clients alike, also those of a library with a copy of this package of its own. It is looked at
 * when another attempt is wanted, so that calls in flight follow it. Queues, leases, timeouts and a breaker's openings
 * stay as they are. With `waits: false`, a policy that stops by time alone tries until then without a pause: give it
 * `attempts` as well.
 *
 * It lasts until `restore()`, which brings back what was there before. Throws a `RangeError` or `TypeError` that names
 * the option for bad input.
 *
 * @example
 * const quick = testRetries({ attempts: 2, waits: false });
 * await retry(flaky([new Error("busy"), "ok"]), { wait: waitFixed(60_000) })(); // => "ok"
 * quick.restore();
 */
export function testRetries(options: TestRetriesOptions): TestRetries {
  const { attempts, waits } = readOptions("testRetries", options, { attempts: COUNT, waits: BOOLEAN });
  const below = testSwitch();
  const stop: TestSwitch["stop"] = attempts === undefined ? below?.stop : (state) => state.attempt >= attempts;
  const setting: Setting = { stop, waits: waits ?? below?.waits ?? true, below, over: false };
  setTestSwitch(setting);
  const restore = () => {
    setting.over = true;
    // One that ends before what was set after it takes effect when that ends.
    let top = testSwitch() as Setting | undefined;
    while (top?.over) top = top.below as Setting | undefined;
    setTestSwitch(top);
  };
  const { dispose } = Symbol as { readonly dispose?: symbol };
  return { restore, ...(dispose && { [dispose]: restore }) } as TestRetries;
}
