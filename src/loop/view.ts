import type { AttemptContext } from "../common/attempt.js";
import type { Attempt } from "../common/current.js";

// Not in a field: a pending call should weigh little, and few functions ask for it.
const views = /* @__PURE__ */ new WeakMap<Attempt, AttemptContext>();

/** What the code of a first attempt gets to see of its call: what is behind that is nothing for it. */
export function viewOf(call: Attempt): AttemptContext {
  let view = views.get(call);
  if (!view) {
    view = {
      attempt: 1,
      previousError: undefined,
      get signal() {
        return call.signal;
      },
    };
    views.set(call, view);
  }
  return view;
}
