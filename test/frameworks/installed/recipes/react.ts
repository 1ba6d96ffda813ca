import { useEffect, useState } from "react";
import { currentAttempt, runWithRetry } from "undaunted";

/** What `load` returns, or `undefined` until then. Unmounting, and another `load`, cancel it; keep `load` by useCallback. */
export function useRetried<T>(load: (signal: AbortSignal) => Promise<T>): { value?: T; error?: unknown } {
  const [state, setState] = useState<{ value?: T; error?: unknown }>({});
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    runWithRetry(() => load(currentAttempt().signal), { signal }).then(
      (value) => setState({ value }),
      (error) => signal.aborted || setState({ error }),
    );
    return () => controller.abort();
  }, [load]);
  return state;
}
