import { isBodiless, type StoredAnswer, storedHeaders } from "./answer.js";
import { joined } from "./body.js";
import type { NodeResponse } from "./node-types.js";

type Callback = ((error?: Error | null) => void) | undefined;

const METHODS = ["writeHead", "flushHeaders", "write", "end", "destroy"] as const;

/**
 * Holds back what a handler writes to Node's response until it is decided whether that is sent. What grows above `maxBody`
 * passes through at once, and only its end is held back.
 */
export class Capture {
  /** Resolves with the answer once the handler has ended it; `body` is missing where it is not to be kept. */
  readonly ended: Promise<StoredAnswer>;
  #resolve!: (answer: StoredAnswer) => void;
  readonly #own = new Map<string, any>();
  #chunks: Uint8Array[] = [];
  #size = 0;
  #hasBegun = false;
  #hasEnded = false;
  #isPassing = false;
  #isLost = false;
  #isReplaced = false;
  #onEnd: Callback;

  constructor(
    private readonly res: NodeResponse,
    private readonly maxBody: number,
  ) {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const name of METHODS) this.#own.set(name, res[name]);
    this.#intercept();
    // Of an answer that had begun nobody writes the end to a client that is gone.
    res.on("close", () => {
      if (this.#hasBegun && !this.#isReplaced) this.#lose();
    });
  }

  #intercept(): void {
    const { res } = this;
    res.writeHead = (...args) => this.#writeHead(args);
    res.flushHeaders = () => this.#begin();
    res.write = (chunk, ...args) => this.#write(chunk, args);
    res.end = (...args) => this.#end(args);
    res.destroy = (error) => {
      this.#lose();
      return this.#ownMethod("destroy")(error);
    };
    // Whoever asks must believe that what was written has been sent.
    Object.defineProperty(res, "headersSent", { get: () => this.#hasBegun, configurable: true });
  }

  /** Whether the answer breaks off: it was neither ended nor will be. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Sends what was held back. */
  send(): void {
    const { res } = this;
    this.#restore();
    if (res.destroyed) return this.#onEnd?.();
    if (!this.#isPassing && isBodiless(res.statusCode)) res.end(this.#onEnd);
    else res.end(this.#isPassing ? undefined : joined(this.#chunks, this.#size), this.#onEnd);
  }

  /**
   * Sends another answer in its place; where some of it is sent already, breaks off, which no client takes for an answer. A handler
   * that still runs goes on without noticing: `ended` has its answer.
   */
  async replace(response: Response): Promise<void> {
    const { res } = this;
    const [status, message, headers] = [res.statusCode, res.statusMessage, res.getHeaders()];
    this.#isReplaced = true;
    const body = new Uint8Array(await response.arrayBuffer());
    this.#restore();
    if (this.#isPassing || this.#isLost) res.destroy();
    else if (!res.destroyed) {
      for (const name of Object.keys(headers)) res.removeHeader(name);
      res.statusMessage = "";
      fill(res, response);
      res.end(body);
    }
    this.#isPassing = false;
    Object.assign(res, { statusCode: status, statusMessage: message });
    shadowHeaders(res, headers);
    this.#intercept();
    // Frameworks send nothing more once it has ended.
    Object.defineProperty(res, "writableEnded", { get: () => this.#hasEnded, configurable: true });
  }

  #ownMethod(name: (typeof METHODS)[number]): (...args: any[]) => any {
    return this.#own.get(name)!.bind(this.res);
  }

  #restore(): void {
    for (const name of METHODS) delete (this.res as unknown as Record<string, unknown>)[name];
    for (const [name, own] of this.#own) if (this.res[name as "end"] !== own) this.res[name as "end"] = own;
    delete (this.res as unknown as Record<string, unknown>).headersSent;
  }

  #begin(): void {
    this.#hasBegun = true;
  }

  #writeHead([status, ...rest]: any[]): NodeResponse {
    const { res } = this;
    res.statusCode = status;
    if (typeof rest[0] === "string") res.statusMessage = rest.shift();
    for (const [name, value] of headersIn(rest[0])) if (value !== undefined) res.setHeader(name, value);
    this.#begin();
    return res;
  }

  #write(chunk: string | Uint8Array, args: any[]): boolean {
    const [encoding, callback] = typeof args[0] === "function" ? [undefined, args[0]] : args;
    if (this.#hasEnded) return true;
    this.#begin();
    if (this.#isPassing) return this.#ownMethod("write")(chunk, encoding, callback);
    this.#keep(chunk, encoding);
    if (callback) queueMicrotask(callback);
    return true;
  }

  #end(args: any[]): NodeResponse {
    const callback: Callback = args.find((each) => typeof each === "function");
    const [chunk, encoding] = args.filter((each) => typeof each !== "function");
    if (this.#hasEnded) return this.res;
    if (chunk !== undefined && chunk !== null) this.#write(chunk, [encoding]);
    this.#hasEnded = true;
    this.#onEnd = callback;
    this.#resolve(this.#answer());
    return this.res;
  }

  #keep(chunk: string | Uint8Array, encoding: string | undefined): void {
    const bytes = typeof chunk === "string" ? bytesOf(chunk, encoding) : chunk;
    // A copy: a writer may use its buffer again.
    this.#chunks.push(bytes.slice());
    this.#size += bytes.byteLength;
    if (this.#size <= this.maxBody) return;
    if (this.#isReplaced) return this.#lose();
    this.#isPassing = true;
    const written = joined(this.#chunks, this.#size);
    this.#chunks = [];
    // Node writes the head by these.
    for (const name of ["writeHead", "flushHeaders"] as const) this.res[name] = this.#own.get(name);
    delete (this.res as unknown as Record<string, unknown>).headersSent;
    this.#ownMethod("write")(written);
  }

  #lose(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isLost = true;
    this.#resolve({ ...this.#answer(), body: undefined });
  }

  #answer(): StoredAnswer {
    const { res } = this;
    if (res.statusCode >= 500 && !this.#isPassing && !("x-should-retry" in res.getHeaders())) {
      res.setHeader("x-should-retry", "false");
    }
    const headers = Object.entries(res.getHeaders()).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, String(each)] as const),
    );
    const isStream = headers.some(([name, value]) => name === "content-type" && value.startsWith("text/event-stream"));
    const body = this.#isPassing || isStream ? undefined : joined(this.#chunks, this.#size);
    return { status: res.statusCode, headers: storedHeaders(headers), body };
  }
}

/** A text's bytes, in whatever encoding Node knows. */
function bytesOf(text: string, encoding: string | undefined): Uint8Array {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding?: string): Uint8Array } };
  return encoding && Buffer ? Buffer.from(text, encoding) : new TextEncoder().encode(text);
}

/** Headers as writeHead takes them: an object, or a list of names and values in a row. */
function headersIn(headers: unknown): [string, any][] {
  if (!Array.isArray(headers)) return Object.entries(headers ?? {});
  if (Array.isArray(headers[0])) return headers as [string, any][];
  return headers.flatMap((name, at) => (at % 2 ? [] : [[name, headers[at + 1]] as [string, any]]));
}

/** Gives Node's response the status and headers of one of fetch's. */
function fill(res: NodeResponse, response: Response): void {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "set-cookie") res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
}

/** Sends one of fetch's responses by Node's. */
export async function sendResponse(res: NodeResponse, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  fill(res, response);
  if (!res.destroyed) res.end(isBodiless(response.status) ? undefined : body);
}

/** Lets a handler set headers after another answer was sent in its place. */
function shadowHeaders(res: NodeResponse, before: object): void {
  const headers = new Map<string, any>(Object.entries(before));
  const keyOf = (name: string) => name.toLowerCase();
  const set = (name: string, value: any) => {
    headers.set(keyOf(name), value);
    return res;
  };
  Object.assign(res, {
    setHeader: set,
    appendHeader: (name: string, value: any) => set(name, [headers.get(keyOf(name)) ?? [], value].flat()),
    getHeader: (name: string) => headers.get(keyOf(name)),
    getHeaders: () => Object.fromEntries(headers),
    getHeaderNames: () => [...headers.keys()],
    hasHeader: (name: string) => headers.has(keyOf(name)),
    removeHeader: (name: string) => void headers.delete(keyOf(name)),
  });
}
