import type { RetryState } from "undaunted";
import type { VirtualClock } from "undaunted/testing";

export interface Drive {
  /** For the policy, beside `clock`. */
  readonly hooks: { readonly onRetry: (state: RetryState) => void };
  /** ms of each sleep begun so far. */
  readonly delays: readonly number[];
}

/**
 * Lets a virtual clock go on by itself whenever a call sleeps, while servers answer in real time. (`advance` first lets
 * all microtasks run, and so the sleep begin. Timers of other calls that are due in the meantime fire too. A hook of
 * the same policy that waits for I/O would be overtaken.)
 */
export function drive(clock: VirtualClock): Drive {
  const delays: number[] = [];
  const onRetry = ({ delay }: RetryState): void => {
    delays.push(delay);
    void clock.advance(delay);
  };
  return { hooks: { onRetry }, delays };
}
