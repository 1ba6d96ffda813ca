import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Requests that came with one credential. */
export interface Seen {
  requests: number;
  refused: number;
}

/** Says when the limit of a credential has been reached: ms until its calls may come again, or nothing. */
export type Limit = (credential: string, seen: Seen) => number | undefined;

/** A real HTTP server that counts requests by their credential, and answers those above its limit with a 429. */
export class Limiter {
  readonly #seen = new Map<string, Seen>();
  readonly #server = createServer((request, response) => this.#serve(request, response));

  private constructor(public limit: Limit) {}

  static async start(limit: Limit): Promise<Limiter> {
    const self = new Limiter(limit);
    // It ends no connection that a client is about to use again.
    self.#server.keepAliveTimeout = 0;
    self.#server.listen(0, "127.0.0.1");
    await once(self.#server, "listening");
    return self;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  seenOf(credential: string): Seen {
    const seen = this.#seen.get(credential) ?? { requests: 0, refused: 0 };
    this.#seen.set(credential, seen);
    return seen;
  }

  #serve({ headers: { authorization = "" } }: IncomingMessage, response: ServerResponse): void {
    const seen = this.seenOf(authorization);
    const left = this.limit(authorization, seen);
    seen.requests++;
    if (left === undefined) {
      response.end("ok");
      return;
    }
    seen.refused++;
    response.writeHead(429, { "retry-after": String(Math.ceil(left / 1_000)) }).end();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
