import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

/** A request as it came. */
export interface SeenRequest {
  /** From 1, in the order of their coming. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The bytes that have come so far: all of them, unless the request was cut. */
  readonly body: Buffer;
  /** Whether the body came whole. */
  readonly complete: boolean;
  /** The number of its connection, from 1. */
  readonly connection: number;
  /** Whether the connection had carried a request before. */
  readonly reused: boolean;
  /** What the server's `now` read when the headers came. */
  readonly at: number;
}

/** What the answers of HTTP/1.1 and HTTP/2 have in common. */
export interface Answer {
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  write(chunk: Buffer, written?: () => void): boolean;
  end(chunk: Buffer): unknown;
  once(event: "drain" | "finish", listener: () => void): unknown;
}

/** What a step plays with. */
export interface Exchange {
  readonly seen: SeenRequest;
  readonly answer: Answer;
  /** HTTP/2 only. */
  readonly stream: ServerHttp2Stream | undefined;
  /** Ends the connection (FIN), after what was written. */
  end(): void;
  /** Resets the connection (RST), at once. */
  reset(): void;
}

/** What a server does about one request. */
export interface Step {
  readonly play: (exchange: Exchange) => void;
  /** Play as soon as the headers are there, not once the body has come. */
  readonly early?: boolean;
}

/** The n-th step is for the n-th request, the last one for all that follow. Or a function of the request. */
export type Script = readonly Step[] | ((seen: SeenRequest) => Step);

export function stepFor(script: Script, seen: SeenRequest): Step {
  const step = typeof script === "function" ? script(seen) : (script[seen.number - 1] ?? script.at(-1));
  if (!step) throw new Error(`the script has no step for request ${seen.number}`);
  return step;
}
