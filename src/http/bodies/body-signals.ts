import { type AbortListener, type AbortSource, offAbort, onAbort } from "../../common/interrupt.js";

// Once the headers are there the call is over, but its signals must still reach the body, for as long as somebody may read
// it; and when that is over nobody tells. So the body itself holds what aborts it, the signals hold it weakly, and their
// listener goes when the body is collected.

const controllers = /* @__PURE__ */ new WeakMap<object, AbortController>();

class BodyLink implements AbortListener {
  readonly #controller: WeakRef<AbortController>;

  constructor(
    controller: AbortController,
    private readonly abortSources: readonly AbortSource[],
  ) {
    this.#controller = new WeakRef(controller);
    for (const each of abortSources) onAbort(each, this);
  }

  cut(reason: unknown): void {
    this.#controller.deref()?.abort(reason);
  }

  end(): void {
    for (const each of this.abortSources) offAbort(each, this);
  }
}

let collected: FinalizationRegistry<BodyLink> | undefined;

/** Lets the signals behind `abortSources` abort `controller` for as long as there is `body`. Answers what ends it earlier. */
export function linkBody(controller: AbortController, abortSources: readonly AbortSource[], body: object): () => void {
  const link = new BodyLink(controller, abortSources);
  controllers.set(body, controller);
  collected ??= new FinalizationRegistry((of) => of.end());
  collected.register(body, link, link);
  return () => {
    link.end();
    collected?.unregister(link);
  };
}
