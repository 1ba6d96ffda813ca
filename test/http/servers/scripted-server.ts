import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { certificate, privateKey } from "./certificates.js";
import { type Connection, Connections } from "./connections.js";
import { type Exchange, type Script, type SeenRequest, type Step, stepFor } from "./step.js";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;
type Handler = (request: Request, response: Response) => void;

export interface ServerOptions {
  /** HTTP/1.1, HTTP/1.1 over TLS, or HTTP/2 over TLS. */
  readonly protocol?: "http" | "https" | "h2";
  /** What dates the requests; a virtual clock's, for gaps to the ms. */
  readonly now?: () => number;
  /** PEM, for the private key of the tests. */
  readonly cert?: string;
}

/** Starts a server on 127.0.0.1 that follows a script. */
export async function scriptedServer(script: Script, options: ServerOptions = {}): Promise<ScriptedServer> {
  const server = new ScriptedServer(script, options);
  await server.restart();
  return server;
}

export class ScriptedServer {
  /** In the order of their coming, from the moment their headers were there. */
  readonly requests: SeenRequest[] = [];
  readonly connections = new Connections();
  readonly #script: Script;
  readonly #now: () => number;
  readonly #protocol: "http" | "https" | "h2";
  readonly #server: Server;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #port = 0;
  #failure: unknown;

  constructor(script: Script, { protocol = "http", now = () => performance.now(), cert = certificate }: ServerOptions) {
    this.#script = script;
    this.#now = now;
    this.#protocol = protocol;
    this.#server = listener(protocol, cert, (request, response) => this.#meet(request, response));
    this.#server.on("connection", (tcp: Socket) => this.connections.add(tcp));
    if (protocol === "https") {
      this.#server.on("secureConnection", (tls: TLSSocket) => {
        this.connections.addLayer(tls, tls.remotePort, () => tls.end());
      });
    }
    this.#server.on("session", (session: NonNullable<Http2ServerRequest["stream"]["session"]>) => {
      this.connections.addLayer(session, session.socket.remotePort, () => session.close());
    });
  }

  get port(): number {
    return this.#port;
  }

  get origin(): string {
    return `${this.#protocol === "http" ? "http" : "https"}://127.0.0.1:${this.#port}`;
  }

  url(path: string): string {
    return this.origin + path;
  }

  /** Resolves to the n-th request, from 1, once its headers are there. */
  async arrival(n: number): Promise<SeenRequest> {
    while (this.requests.length < n) await once(this.#events, "request");
    return this.requests[n - 1]!;
  }

  /** Resolves once every connection is closed, at both ends. */
  settled(): Promise<void> {
    return this.connections.settled();
  }

  /** Ends the connections on which nothing is under way: what is open thereafter was leaked. */
  endIdle(): void {
    this.connections.endIdle();
  }

  /** Ends as if killed: resets every connection, and listens no more. */
  async kill(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.connections.reset();
    await Promise.all([closed, this.settled()]);
  }

  /** Listens again on the same port. The script goes on where it was. */
  async restart(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends everything; throws what the script threw. */
  async close(): Promise<void> {
    await this.kill();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #meet(request: Request, response: Response): void {
    const stream = "stream" in request ? request.stream : undefined;
    const connection = this.connections.of(stream?.session ?? request.socket);
    const seen = record(request, this.requests.length + 1, connection, this.#now());
    this.requests.push(seen);
    connection.requests++;
    connection.underWay++;
    response.once("close", () => connection.underWay--);

    const exchange: Exchange = {
      seen,
      answer: response,
      stream,
      end: connection.end,
      reset: () => void connection.tcp.resetAndDestroy(),
    };
    this.#perform(exchange, request);
    this.#events.emit("request");
  }

  #perform(exchange: Exchange, request: Request): void {
    const careful = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        this.#failure ??= error;
        exchange.reset();
      }
    };
    careful(() => {
      const step: Step = stepFor(this.#script, exchange.seen);
      if (step.early) step.play(exchange);
      else request.once("end", () => careful(() => step.play(exchange)));
    });
  }
}

function listener(protocol: "http" | "https" | "h2", cert: string, handler: Handler): Server {
  if (protocol === "h2") return createSecureServer({ key: privateKey, cert }, handler);
  // No timeout of the server's own: a kept-alive connection ends by the script or by the client.
  const options = { keepAliveTimeout: 0 };
  return protocol === "http"
    ? createServer(options, handler)
    : createHttpsServer({ ...options, key: privateKey, cert }, handler);
}

function record(request: Request, number: number, connection: Connection, at: number): SeenRequest {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  return {
    number,
    method: request.method!,
    path: request.url!,
    headers: request.headers,
    get body() {
      return Buffer.concat(chunks);
    },
    get complete() {
      return request.complete;
    },
    connection: connection.number,
    reused: connection.requests > 0,
    at,
  };
}
