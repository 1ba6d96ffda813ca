import { Injectable, NotFoundException, ServiceUnavailableException } from "@nestjs/common";
import { IsNumber, IsString } from "class-validator";
import { type Observable, of, throwError } from "rxjs";

// What the recipes call, in a Nest application as it may be.

const once = <T>(answers: readonly (() => T)[]) => {
  let calls = 0;
  return () => answers[Math.min(calls++, answers.length - 1)]!();
};

@Injectable()
export class UsersApi {
  readonly calls: string[] = [];

  /** A user that is there at the second attempt, one that is not there, or one that is always down. */
  async load(id: string): Promise<{ id: string }> {
    this.calls.push(id);
    const before = this.calls.filter((each) => each === id).length - 1;
    if (id === "nobody") throw new NotFoundException("no such user");
    if (id === "down" || before === 0) throw new ServiceUnavailableException("busy");
    return { id };
  }

  async all(signal: AbortSignal): Promise<string[]> {
    this.calls.push(signal.aborted ? "aborted" : "all");
    throw new ServiceUnavailableException("busy");
  }
}

export class Charge {
  @IsString()
  order!: string;
  @IsNumber()
  amount!: number;
}

@Injectable()
export class Bank {
  readonly taken: Charge[] = [];

  async take(charge: Charge): Promise<string> {
    this.taken.push(charge);
    return `receipt ${this.taken.length} of ${charge.order}`;
  }
}

@Injectable()
export class HttpService {
  readonly urls: string[] = [];
  readonly #answer = once<Observable<{ data: unknown }>>([
    () => throwError(() => new ServiceUnavailableException("busy")),
    () => of({ data: "rain" }),
  ]);

  get(url: string): Observable<{ data: unknown }> {
    this.urls.push(url);
    return this.#answer();
  }
}
