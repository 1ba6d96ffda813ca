import { Retry, type RetryOptions, RetrySync, type SyncRetryOptions } from "undaunted";

const policy: RetryOptions = {};
const syncPolicy: SyncRetryOptions = {};

// What legacy decorators cannot be put on.
export class StandardOnly {
  @Retry(policy)
  async #hidden(id: string): Promise<string> {
    return id;
  }

  @RetrySync(syncPolicy)
  static #shared(id: string): string {
    return id;
  }

  both(): [Promise<string>, string] {
    return [this.#hidden("42"), StandardOnly.#shared("42")];
  }

  // @ts-expect-error a sync method would begin to return promises
  @Retry()
  #sync(): number {
    return this.#later.length;
  }

  // @ts-expect-error an async method: use @Retry
  @RetrySync()
  async #later(): Promise<number> {
    return this.#sync();
  }

  // @ts-expect-error an accessor is no method
  @Retry()
  accessor load = async (): Promise<number> => 1;
}
