import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";

/** What the server saw of a request. */
interface Seen {
  readonly method: string | undefined;
  readonly key: string | undefined;
  readonly body: string;
}

type Part = (time: number, request: IncomingMessage, response: ServerResponse) => void;

const say = (response: ServerResponse, status: number, headers: Record<string, string> = {}) =>
  response.writeHead(status, headers).end(status === 200 ? "ok" : "busy");

/** What becomes of a request, by the part that its path names, and by how often this run has asked, from 1. */
const PARTS: Record<string, Part> = {
  fine: (_, __, response) => say(response, 200),
  busy: (time, _, response) => (time < 2 ? say(response, 503, { "retry-after": "1" }) : say(response, 200)),
  flat: (time, _, response) => say(response, time < 3 ? 503 : 200),
  reset: (time, request, response) => (time < 3 ? request.socket.resetAndDestroy() : say(response, 200)),
  hanging: (time, _, response) => void (time > 1 && say(response, 200)),
  silent: () => {},
};

/** The server that the checks of every runtime ask. */
export class Loopback {
  readonly #seen = new Map<string, Seen[]>();
  readonly #pages = new Map<string, { type: string; text: string }>();
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));
  url = "";
  /** Nobody listens there. */
  refused = "";

  async open(): Promise<void> {
    const closed = createSocketServer();
    const free = await listen(closed);
    this.url = `http://127.0.0.1:${await listen(this.#server)}`;
    await new Promise((resolve) => closed.close(resolve));
    this.refused = `http://127.0.0.1:${free}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Serves a text, for what loads its modules over HTTP. */
  serve(path: string, type: string, text: string): void {
    this.#pages.set(path, { type, text });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, name = "", run = ""] = new URL(request.url ?? "/", this.url).pathname.split("/");
    const page = this.#pages.get(request.url ?? "");
    // Some browsers and runtimes send again by themselves what a kept connection lost: here each request has its own.
    response.setHeader("connection", "close");
    if (page) return void response.writeHead(200, { "content-type": page.type }).end(page.text);
    if (name === "seen") return void response.end(JSON.stringify(this.#seen.get(run) ?? []));
    const part = PARTS[name];
    if (!part) return void response.writeHead(404).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const key = request.headers["idempotency-key"] as string | undefined;
    const seen = this.#seen.get(run) ?? [];
    this.#seen.set(run, seen);
    seen.push({ method: request.method, key, body: Buffer.concat(chunks).toString() });
    part(seen.length, request, response);
  }
}

async function listen(server: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }) {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
