import "reflect-metadata";
import { inject, singleton } from "tsyringe";
import { circuitBreaker, Retry, stopAfterAttempt } from "undaunted";

const breaker = circuitBreaker();

@singleton()
export class Users {
  constructor(@inject("load") private readonly source: (id: string) => Promise<string>) {}

  @Retry({ stop: stopAfterAttempt(3) })
  @breaker.wrap
  async load(id: string) {
    return this.source(id);
  }
}
