import { Injectable, type OnModuleDestroy } from "@nestjs/common";
import { currentAttempt, retry } from "undaunted";
import { UsersApi } from "../api.js";

@Injectable()
export class Sync implements OnModuleDestroy {
  readonly #closing = new AbortController();
  readonly pull = retry(() => this.api.all(currentAttempt().signal), { signal: this.#closing.signal });

  constructor(private readonly api: UsersApi) {}

  onModuleDestroy() {
    this.#closing.abort(new Error("shutting down"));
  }
}
