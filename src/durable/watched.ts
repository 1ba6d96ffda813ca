import type { AttemptContext } from "../common/attempt.js";
import { nextOrdinal } from "../common/exhausted.js";
import { observed, type Watchable } from "../common/observed.js";
import type { CompiledPolicy } from "../loop/policy.js";

/** What one attempt of a call is to those who observe; undefined where nobody does. `before`: what the call did until then. */
export function watchedAttempt(
  { clock, budget }: CompiledPolicy,
  name: string,
  before: { readonly attempts: number; readonly elapsed: number },
  task: (context: AttemptContext) => unknown = () => {},
): Watchable | undefined {
  const target: Watchable = { fn: task, name, succeeded: (value) => value, watch: undefined };
  return observed.watcher?.begin(target, { options: { name }, clock, budget, before }, undefined, nextOrdinal());
}
