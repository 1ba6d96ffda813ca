import { Effect, Schedule, Semaphore } from "effect";

const identity = (error) => error;
const attemptOf = (fn, x) => Effect.tryPromise({ try: () => fn(x), catch: identity });
const exponential = Schedule.jittered(Schedule.exponential("500 millis"));

const wrap =
  (options, dress = identity, run = undefined) =>
  (fn) => {
    const all = { times: 3, schedule: exponential, ...options };
    return (x) => Effect.runPromise(Effect.retry(dress(attemptOf(fn, x)), all), run);
  };

const sync = (fn) => (x) =>
  Effect.runSync(Effect.retry(Effect.try({ try: () => fn(x), catch: identity }), { times: 3 }));

// It has no breaker: retries, a semaphore and a timeout.
const stack = (fn) => {
  const slots = Semaphore.makeUnsafe(200);
  return wrap({}, (attempt) => slots.withPermits(1)(Effect.timeout(attempt, "59 seconds")))(fn);
};

const spaced = (ms) => ({ schedule: Schedule.spaced(ms) });

export const shapes = {
  success: wrap({}),
  run: wrap({}),
  ownWait: wrap({ schedule: Schedule.modifyDelay(Schedule.forever, () => Effect.succeed(100)) }),
  onRetry: wrap({}, (attempt) => Effect.tapError(attempt, () => Effect.void)),
  ownRetryIf: wrap({ while: (error) => error instanceof Error }),
  onSuccess: wrap({}, (attempt) => Effect.tap(attempt, () => Effect.void)),
  signal: wrap({}, identity, { signal: new AbortController().signal }),
  attemptTimeout: wrap({}, (attempt) => Effect.timeout(attempt, "60 seconds")),
  timeout: (fn) => (x) => Effect.runPromise(Effect.timeout(attemptOf(fn, x), "59 seconds")),
  stack,
  failures: (fn) => (x) => Effect.runPromise(Effect.retry(attemptOf(fn, x), { times: 3 })),
  sync,
  sleeping: (fn, ms) => wrap(spaced(ms))(fn),
  onSignal: (fn, ms, signal) => wrap(spaced(ms), identity, { signal })(fn),
};
