import { sharedUnder } from "./shared.js";

// A budget that several processes share waits for none of them where its caller cannot wait.
const slot = /* @__PURE__ */ sharedUnder<{ sync: boolean }>("ask", { sync: false });

/** Whether who asks cannot wait. */
export function asksSync(): boolean {
  return slot.sync;
}

/** Asks for one who cannot wait. */
export function askSync<T>(ask: () => T): T {
  const outer = slot.sync;
  slot.sync = true;
  try {
    return ask();
  } finally {
    slot.sync = outer;
  }
}
