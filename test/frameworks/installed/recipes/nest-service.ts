import { HttpException, Injectable } from "@nestjs/common";
import { circuitBreaker, type Outcome, Retry, stopAfterAttempt } from "undaunted";
import { isRetryableStatus } from "undaunted/http";
import { UsersApi } from "../api.js";

const passes = (error: unknown) => !(error instanceof HttpException) || isRetryableStatus(error.getStatus());
const classify = (outcome: Outcome) => (outcome.ok || passes(outcome.error) ? undefined : "success");
const breaker = circuitBreaker({ classify });

@Injectable()
export class Users {
  constructor(private readonly api: UsersApi) {}

  @Retry({ stop: stopAfterAttempt(3), retryIf: passes, attemptTimeout: 1_000 })
  @breaker.wrap
  async load(id: string) {
    return this.api.load(id);
  }
}
