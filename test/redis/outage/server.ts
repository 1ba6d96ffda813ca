import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What befalls a server. */
export type Trouble = "hangs" | "refuses" | "slow";

/** Requests that came while it was in trouble. */
export interface Seen {
  requests: number;
  retries: number;
  answered: number;
}

/** ms of work that wait at most, also for those who have given up. */
const QUEUE = 2_000;

/** A real HTTP server whose paths are servers by themselves: each has a queue of its own, and is counted by itself. */
export class TroubledServer {
  readonly seen = new Map<string, Seen>();
  #trouble: Trouble | undefined;
  #port = 0;
  readonly #freeAt = new Map<string, number>();
  readonly #server = createServer((request, response) => this.#serve(request, response));

  /** `eachTakes`: ms that one request takes of a path that is slow. */
  private constructor(private readonly eachTakes: number) {}

  static async start(eachTakes: number): Promise<TroubledServer> {
    const self = new TroubledServer(eachTakes);
    // It ends no connection that a client is about to use again: that would be a failure of its own.
    self.#server.keepAliveTimeout = 0;
    await self.#listen();
    return self;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async begin(trouble: Trouble): Promise<void> {
    this.#trouble = trouble;
    if (trouble === "refuses") await this.close();
  }

  async end(): Promise<void> {
    const was = this.#trouble;
    this.#trouble = undefined;
    if (was === "refuses") await this.#listen();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #serve({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const trouble = this.#trouble;
    if (!trouble) return this.#answer(response);
    const seen = this.seen.get(url) ?? { requests: 0, retries: 0, answered: 0 };
    this.seen.set(url, seen);
    seen.requests++;
    if (headers.attempt !== "1") seen.retries++;
    if (trouble !== "slow") return;
    const now = performance.now();
    const freeAt = Math.max(now, this.#freeAt.get(url) ?? 0);
    if (freeAt > now + QUEUE) {
      response.writeHead(503).end();
      return;
    }
    const doneAt = freeAt + this.eachTakes;
    this.#freeAt.set(url, doneAt);
    setTimeout(() => {
      if (!response.destroyed) seen.answered++;
      this.#answer(response);
    }, doneAt - now);
  }

  #answer(response: ServerResponse): void {
    response.end("ok");
  }
}
