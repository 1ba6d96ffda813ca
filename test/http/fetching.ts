import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { flaky, virtualClock } from "undaunted/testing";

/** A response with this status. */
export function status(code: number, headers: Record<string, string> = {}, body: BodyInit | null = null): Response {
  return new Response(body, { status: code, headers });
}

/** As many responses with this status. */
export function statuses(code: number, count: number): Response[] {
  return Array.from({ length: count }, () => status(code));
}

/** What Node's fetch rejects with where a connection fails with this code. */
export function networkError(code: string, more: object = {}): TypeError {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code, ...more }) });
}

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** A character is a byte. */
  readonly body: string;
}

/** A fetch that plays a script, and keeps what a server would have received. */
export function receiver(script: readonly unknown[]) {
  const received: Received[] = [];
  const play = flaky<Response>(script);
  const fetch = async (input: any, init?: any): Promise<Response> => {
    const request = new Request(input, init);
    const { method, url, headers } = request;
    received.push({ method, url, headers, body: Buffer.from(await request.arrayBuffer()).toString("latin1") });
    return play(input, init);
  };
  return { fetch, received };
}

/** A fetch whose requests hang until they are aborted, and the signals that they came with. */
export function hanging() {
  const signals: AbortSignal[] = [];
  const fetch = (_: unknown, init?: RequestInit) =>
    new Promise<Response>((_resolve, reject) => {
      const signal = init?.signal;
      if (!signal) return;
      signals.push(signal);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return { fetch, signals };
}

/** A body that never ends, and tells how it was left. */
export function endlessBody(chunkBytes = 1_024) {
  const seen = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.pulled += chunkBytes;
        controller.enqueue(new Uint8Array(chunkBytes));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

/** A body of which nothing comes. */
export function silentBody() {
  const seen = { cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    cancel() {
      seen.cancelled = true;
    },
  });
  return { stream, seen };
}

/** Lets every microtask and what I/O has ready run. */
export function othersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The delays of a call that ends in a 204 after these answers; `random` answers a half. */
export async function delays(answers: readonly unknown[], options: RetryFetchOptions = {}): Promise<number[]> {
  const clock = virtualClock();
  const slept: number[] = [];
  const api = retryFetch({
    fetch: flaky([...answers, status(204)]),
    clock,
    random: () => 0.5,
    onRetry: ({ delay }) => slept.push(delay),
    ...options,
  });
  const call = api("https://example.com/");
  call.catch(() => {});
  await clock.runAll();
  await call;
  return slept;
}

/** A client whose server plays a script, and what it was asked for, when. */
export function pausing(script: readonly unknown[], options: RetryFetchOptions = {}) {
  const clock = virtualClock();
  const seen: [url: string, ms: number][] = [];
  const play = flaky<Response>(script);
  const fetch = async (url: string) => {
    seen.push([url, clock.now()]);
    return play();
  };
  return { api: retryFetch({ fetch, clock, pauseOrigin: true, random: () => 0, ...options }), clock, seen };
}
