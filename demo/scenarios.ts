import {
  CircuitOpenError,
  circuitBreaker,
  retry,
  retryIfErrorCode,
  stopAfterAttempt,
  TryAgainError,
  waitFixed,
  waitFromError,
  waitFullJitter,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { fetchUser, HttpError, type User } from "./client.js";
import { loadWithMethod, lockWithMethod } from "./methods.js";
import { note, type Watch } from "./print.js";
import { answer, hang, refuse, reset, type Step } from "./server.js";

/** To add one, append it to `scenarios`: the rest of the demo goes by this list. */
export interface Scenario {
  readonly title: string;
  /** One line: what the server does, and what the policy makes of it. */
  readonly shows: string;
  /** What the server does, request by request. */
  readonly steps?: readonly Step[];
  run(url: string, watch: Watch): Promise<User> | User;
}

const ada: User = { name: "Ada Lovelace" };

export const scenarios: readonly Scenario[] = [
  {
    title: "Busy server",
    shows: "Two 503s. Full jitter keeps clients that failed together from returning together.",
    steps: [refuse(503), refuse(503), answer(ada)],
    run(url, watch) {
      const getUser = retry(fetchUser, {
        stop: stopAfterAttempt(5),
        wait: waitFullJitter({ base: 200, max: 2_000 }),
        retryIf: retryIfErrorCode(503),
        ...watch,
      });
      return getUser(url);
    },
  },
  {
    title: "Connection reset",
    shows: "fetch hides the code in its error's cause; retryIfErrorCode finds it there.",
    steps: [reset, answer(ada)],
    run(url, watch) {
      const retryIf = retryIfErrorCode("ECONNRESET", "UND_ERR_SOCKET");
      return retry(fetchUser, { wait: waitFullJitter({ base: 200 }), retryIf, ...watch })(url);
    },
  },
  {
    title: "Hanging answer",
    shows: "attemptTimeout aborts the attempt's signal, and with it the request.",
    steps: [hang, answer(ada)],
    run: (url, watch) => retry(fetchUser, { attemptTimeout: 500, wait: waitFixed(100), ...watch })(url),
  },
  {
    title: "Too many requests",
    shows: "429 with Retry-After: 1. The policy reads it from the error and waits that long.",
    steps: [refuse(429, { "retry-after": "1" }), answer(ada)],
    run(url, watch) {
      const serverSays = (error: unknown) => (error instanceof HttpError ? error.retryAfter : undefined);
      const wait = waitFromError(serverSays, waitFullJitter({ base: 200 }));
      return retry(fetchUser, { wait, ...watch })(url);
    },
  },
  {
    title: "Not found",
    shows: "404 is hopeless: a NonRetryableError ends the call, and the caller gets its cause.",
    steps: [refuse(404)],
    run: (url, watch) => retry(fetchUser, watch)(url),
  },
  {
    title: "Deadline and fallback",
    shows: "A 503, then silence. totalTimeout ends the call, and a cached value stands in.",
    steps: [refuse(503), hang],
    run(url, watch) {
      const cached = { name: "Ada, from the cache" };
      return retry(fetchUser, { totalTimeout: 800, wait: waitFixed(100), fallback: () => cached, ...watch })(url);
    },
  },
  {
    title: "Cancelled",
    shows: "The policy would sleep for 30 s; the caller's signal ends it at once.",
    steps: [refuse(503)],
    run(url, watch) {
      const leaving = new AbortController();
      setTimeout(() => leaving.abort(new Error("the user left the page")), 400);
      // `wait` comes last: with `--fast`, too, it is a sleep worth cancelling.
      return retry(fetchUser, { signal: leaving.signal, ...watch, wait: waitFixed(30_000) })(url);
    },
  },
  {
    title: "Circuit breaker",
    shows: "Two 503s open it. The job comes back when it says so, and a probe closes it again.",
    steps: [refuse(503), refuse(503), answer(ada)],
    run(url, watch) {
      const breaker = circuitBreaker({
        consecutiveFailures: 2,
        openFor: 300,
        onStateChange: ({ from, to }) => note(`the circuit goes from ${from} to ${to}`),
      });
      const guarded = breaker.wrap(fetchUser);
      const job = (path: string) =>
        guarded(path).catch((error: unknown) => {
          if (!(error instanceof CircuitOpenError)) throw error;
          // A little later than asked for: a timer may be a little early.
          throw new TryAgainError({ after: Math.ceil(error.retryAfter ?? 0) + 10, cause: error });
        });
      return retry(job, { stop: stopAfterAttempt(5), wait: waitFixed(100), ...watch })(url);
    },
  },
  {
    title: "HTTP client",
    shows: "A 503 that says when to come back, then a reset: retryFetch knows what to do about both.",
    steps: [refuse(503, { "retry-after-ms": "300" }), reset, answer(ada)],
    async run(url, watch) {
      const response = await retryFetch(watch)(url);
      return (await response.json()) as User;
    },
  },
  {
    title: "Decorated method",
    shows: "A reset, then a 503: @Retry on a method of a class, and nothing else changes.",
    steps: [reset, refuse(503), answer(ada)],
    run: loadWithMethod,
  },
  {
    title: "Sync method",
    shows: "Another process holds the lock file: @RetrySync sleeps without a promise.",
    run: (_url, watch) => lockWithMethod(watch),
  },
];
