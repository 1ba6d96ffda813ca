import { channel } from "node:diagnostics_channel";
import { observe, runAttemptsIn } from "../common/observe.js";

/**
 * Publishes what happens to every policy and guard of this process on `node:diagnostics_channel`, where an agent can subscribe that knows nothing of
 * this package: each event on the channel `undaunted:` and its type, as `undaunted:retry`. An attempt runs in the stores that are bound to
 * `undaunted:attempt`. Returns a function that ends it.
 *
 * @example
 * const stop = publishEvents();
 * stop();
 */
export function publishEvents(): () => void {
  const attempts = channel("undaunted:attempt");
  const ends = [
    // Publishes it, too.
    runAttemptsIn((event, run) => attempts.runStores(event, run)),
    observe((event) => {
      if (event.type !== "attempt") channel(`undaunted:${event.type}`).publish(event);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
