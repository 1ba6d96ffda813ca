import type { Clock } from "../../common/clock.js";
import type { TotalTimeoutError } from "../../common/errors.js";
import { type AbortListener, type AbortSource, offAbort, onAbort } from "../../common/interrupt.js";

// Once the headers are there the call is over, but its signals must still reach the body, for as long as somebody may read
// it; and when that is over nobody says so. So the body itself holds what aborts it, the signals hold it weakly, and their
// listener goes when the body is collected.

const controllers = /* @__PURE__ */ new WeakMap<object, AbortController>();

/** How long a body may still be read. */
export interface Deadline {
  /** ms from now. */
  readonly left: number;
  readonly error: () => TotalTimeoutError;
}

class BodyLink implements AbortListener {
  readonly #controller: WeakRef<AbortController>;
  #stopTimer: (() => void) | undefined;

  constructor(
    controller: AbortController,
    private readonly abortSources: readonly AbortSource[],
    clock: Clock,
    deadline: Deadline | undefined,
  ) {
    this.#controller = new WeakRef(controller);
    for (const each of abortSources) onAbort(each, this);
    // The process need not stay alive for it.
    if (deadline) this.#stopTimer = clock.setTimer(() => this.cut(deadline.error()), deadline.left, true);
  }

  cut(reason: unknown): void {
    this.#controller.deref()?.abort(reason);
  }

  end(): void {
    this.#stopTimer?.();
    for (const each of this.abortSources) offAbort(each, this);
  }
}

let collected: FinalizationRegistry<BodyLink> | undefined;

/**
 * Lets the signals behind `abortSources`, and `deadline`, abort `controller` for as long as there is `body`. Returns what
 * ends that earlier.
 */
export function linkBody(
  controller: AbortController,
  abortSources: readonly AbortSource[],
  body: object,
  clock: Clock,
  deadline?: Deadline,
): () => void {
  const link = new BodyLink(controller, abortSources, clock, deadline);
  controllers.set(body, controller);
  collected ??= new FinalizationRegistry((of) => of.end());
  collected.register(body, link, link);
  return () => {
    link.end();
    collected?.unregister(link);
  };
}
