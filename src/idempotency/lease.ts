import { report } from "../common/call-hook.js";
import type { IdempotencySettings } from "./options.js";

/** A lease that is renewed each third of it, until it is stopped or lost. */
export class Lease {
  #stopped = false;
  #cancel = () => {};

  constructor(
    private readonly settings: IdempotencySettings,
    private readonly key: string,
    private readonly token: string,
  ) {
    void this.#keep();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  // A loop that awaits, not a chain of timers: whatever is called here runs in the async context of the lease's own call.
  async #keep(): Promise<void> {
    const { store, lease } = this.settings;
    for (;;) {
      await this.#pause(lease / 3);
      if (this.#stopped) return;
      this.#warnAt(lease / 3);
      let held = true;
      try {
        held = await store.renew(this.key, this.token, lease);
      } catch (error) {
        // There is time for another try, or two.
        report(this.settings, store, error);
      }
      this.#cancel();
      if (!held || this.#stopped) return;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.settings.clock.setTimer(resolve, ms, true);
      this.#cancel = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Reports a renewal that is under way for so long that the lease may be lost. */
  #warnAt(ms: number): void {
    const { settings, key } = this;
    const overdue = new Promise<void>((resolve) => {
      this.#cancel = settings.clock.setTimer(resolve, ms, true);
    });
    void overdue.then(() => report(settings, settings.store, new Error(overdueMessage(key, settings.lease))));
  }
}

function overdueMessage(key: string, lease: number): string {
  return (
    `the lease of the key ${JSON.stringify(key)} is not renewed yet, after two thirds of its ${lease} ms: ` +
    "the store is slow, or waits for a connection that the work holds; give it a pool of its own"
  );
}
