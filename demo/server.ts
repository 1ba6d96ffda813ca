import { once } from "node:events";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the server does with one request. */
export type Step = (request: IncomingMessage, response: ServerResponse) => void;

export const answer =
  (body: unknown): Step =>
  (_request, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));

export const refuse =
  (status: number, headers: OutgoingHttpHeaders = {}): Step =>
  (_request, response) =>
    response.writeHead(status, headers).end();

/** The connection breaks, as when the process behind it dies. */
export const reset: Step = (request) => request.socket.resetAndDestroy();

/** The request is accepted, and no answer ever comes. */
export const hang: Step = () => {};

export interface ScriptedServer {
  readonly origin: string;
  /** Answers a new URL, whose requests meet `steps` one after the other. */
  play(steps: readonly Step[]): string;
  close(): Promise<void>;
}

export async function startServer(): Promise<ScriptedServer> {
  const scripts = new Map<string, Step[]>();
  const offScript = refuse(501);

  const server = createServer((request, response) => {
    const step = scripts.get(request.url ?? "")?.shift() ?? offScript;
    step(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;

  return {
    origin,
    play(steps) {
      const path = `/users/${scripts.size + 1}`;
      scripts.set(path, [...steps]);
      return `${origin}${path}`;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
