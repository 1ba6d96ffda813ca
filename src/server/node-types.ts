/** What is used of Node's `IncomingMessage`, and of what Express adds to it. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** The path before a router took its part off. */
  readonly originalUrl?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: unknown;
}

/** What is used of Node's `ServerResponse`. */
export interface NodeResponse {
  statusCode: number;
  statusMessage?: string;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  setHeader(name: string, value: any): unknown;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  removeHeader(name: string): void;
  writeHead(...args: any[]): unknown;
  flushHeaders(): void;
  write(...args: any[]): boolean;
  end(...args: any[]): unknown;
  destroy(error?: Error): unknown;
  on(event: "close", listener: () => void): unknown;
}
