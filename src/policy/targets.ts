import type { PolicyData } from "./data.js";
import { GRPC_CODES } from "./foreign.js";
import type { Backoff, Jitter, Loss, Plan, Wanted } from "./plan.js";

/** Writes what a policy can be there, and what it loses. */
export type Target = (data: PolicyData, plan: Plan, desk: Desk) => object;

/** How a target says what it cannot say. */
export interface Desk {
  lose(loss: Loss): void;
  /** Refuses a `retryIf` that cannot be said, unless that is allowed. */
  unsaid(why: string): void;
}

function loseJitter(jitter: Jitter, said: string | undefined, { lose }: Desk): void {
  if (jitter === "none") return;
  lose({
    path: "wait",
    wanted: typeof jitter === "string" ? `${jitter} jitter` : jitter,
    got: said,
    why: "jitter is not said like that there",
  });
}

/** `value`, rounded up to a multiple of `step`; what that changes is listed. */
function roundedUp(value: number, step: number, least: number, path: string, { lose }: Desk): number {
  const got = Math.max(least, Math.ceil(value / step - 1e-9));
  if (got * step !== value)
    lose({ path, wanted: `${value} ms`, got: `${got * step} ms`, why: `whole units of ${step} ms, rounded up` });
  return got;
}

function loseRest(data: PolicyData, names: readonly (keyof PolicyData)[], why: string, { lose }: Desk): void {
  for (const name of names) {
    if (data[name] !== undefined) lose({ path: name, wanted: data[name], got: undefined, why });
  }
}

const OWN = [
  "budget",
  "fallback",
  "signal",
  "clock",
  "random",
  "onAttempt",
  "onRetry",
  "onSuccess",
  "onGiveUp",
  "onHookError",
  "onLateResult",
  "unref",
  "detached",
  "retryExhausted",
] as const;
const OF_A_PROCESS = "it belongs to a process; the engine has none of its own";

/** The shorter of `totalTimeout` and what `stop` says of time. */
function deadlineOf(data: PolicyData, { limits }: Plan): number | undefined {
  const both = [data.totalTimeout, limits.within].filter((ms) => ms !== undefined);
  return both.length > 0 ? Math.min(...both) : undefined;
}

function attemptTimeoutOf(data: PolicyData, desk: Desk): number | undefined {
  const { attemptTimeout } = data;
  if (typeof attemptTimeout !== "object") return attemptTimeout;
  desk.lose({ path: "attemptTimeout", wanted: attemptTimeout, got: undefined, why: "a function is no data" });
  return undefined;
}

/** Activity options of Temporal's TypeScript SDK: times are whole ms. */
export const temporal: Target = (data, plan, desk) => {
  const { limits, backoff, wanted } = plan;
  const { factor } = backoff;
  const initialInterval = roundedUp(backoff.base, 1, 1, "wait", desk);
  const maximumInterval = Math.max(initialInterval, roundedUp(backoff.max, 1, 1, "wait", desk));
  loseJitter(backoff.jitter, undefined, desk);
  const retry: Record<string, unknown> = { initialInterval, backoffCoefficient: factor, maximumInterval };
  const attempts = wanted.kind === "none" ? 1 : limits.attempts;
  if (attempts !== undefined) retry.maximumAttempts = attempts;
  if (wanted.kind === "all but names") retry.nonRetryableErrorTypes = wanted.names;
  if (wanted.kind === "names" || wanted.kind === "codes")
    desk.unsaid("Temporal knows which types of errors are not retried, and no other list");
  if (limits.within !== undefined) {
    desk.lose({
      path: "stop",
      wanted: `${limits.within} ms`,
      got: "scheduleToCloseTimeout",
      why: "a soft limit becomes a deadline, which also cuts an attempt",
    });
  }
  const config: Record<string, unknown> = {};
  const [start, total] = [attemptTimeoutOf(data, desk), deadlineOf(data, plan)];
  if (start !== undefined) config.startToCloseTimeout = roundedUp(start, 1, 1, "attemptTimeout", desk);
  if (total !== undefined) config.scheduleToCloseTimeout = roundedUp(total, 1, 1, "totalTimeout", desk);
  if (start === undefined && total === undefined) {
    desk.lose({
      path: "attemptTimeout",
      wanted: undefined,
      got: undefined,
      why: "Temporal wants one of the two timeouts: add it",
    });
  }
  loseRest(data, OWN, OF_A_PROCESS, desk);
  return { ...config, retry };
};

/** Fields of a Task state of Amazon States Language: times are whole seconds. */
export const stepFunctions: Target = (data, plan, desk) => {
  const { limits, backoff, wanted } = plan;
  const interval = roundedUp(backoff.base, 1_000, 1, "wait", desk);
  const most = Math.min(31_622_400, roundedUp(backoff.max, 1_000, 1, "wait", desk));
  const isFull = backoff.jitter === "full";
  if (!isFull) loseJitter(backoff.jitter, "NONE", desk);
  const pace = {
    IntervalSeconds: interval,
    BackoffRate: backoff.factor,
    ...(most > interval && backoff.factor > 1 ? { MaxDelaySeconds: most } : {}),
    JitterStrategy: isFull ? "FULL" : "NONE",
  };
  if (backoff.factor > 1 && most <= interval) {
    pace.BackoffRate = 1;
  }
  // The largest count that there may be stands for no limit.
  const retries = wanted.kind === "none" ? 0 : limits.attempts === undefined ? 99_999_999 : limits.attempts - 1;
  if (wanted.kind === "codes") desk.unsaid("Step Functions knows errors by their names");
  const retrier = (names: readonly string[]) => ({ ErrorEquals: names, ...pace, MaxAttempts: retries });
  const never = (names: readonly string[]) => ({ ErrorEquals: names, MaxAttempts: 0 });
  const Retry =
    wanted.kind === "names"
      ? [retrier(wanted.names)]
      : wanted.kind === "all but names"
        ? [never(wanted.names), retrier(["States.ALL"])]
        : [retrier(["States.ALL"])];
  const start = attemptTimeoutOf(data, desk);
  const total = deadlineOf(data, plan);
  if (total !== undefined) {
    const path = data.totalTimeout === total ? "totalTimeout" : "stop";
    desk.lose({ path, wanted: `${total} ms`, got: undefined, why: "a state has no deadline over its attempts" });
  }
  loseRest(data, OWN, OF_A_PROCESS, desk);
  return {
    Retry,
    ...(start === undefined ? {} : { TimeoutSeconds: roundedUp(start, 1_000, 1, "attemptTimeout", desk) }),
  };
};

/** A service config of gRPC, for all methods. */
export const grpc: Target = (data, plan, desk) => {
  const { limits, backoff, wanted } = plan;
  const attempts = wanted.kind === "none" ? 1 : (limits.attempts ?? Number.POSITIVE_INFINITY);
  if (attempts > 5) desk.lose({ path: "stop", wanted: attempts, got: 5, why: "more than five attempts count as five" });
  const method: Record<string, unknown> = { name: [{}] };
  const total = deadlineOf(data, plan);
  if (total !== undefined) method.timeout = duration(total);
  if (limits.within !== undefined) {
    desk.lose({
      path: "stop",
      wanted: `${limits.within} ms`,
      got: "timeout",
      why: "a soft limit becomes a deadline, which also cuts an attempt",
    });
  }
  loseRest(data, ["attemptTimeout"], "there is one timeout, of the whole call", desk);
  loseRest(data, OWN, OF_A_PROCESS, desk);
  if (attempts > 1) {
    loseGrpcJitter(backoff, desk);
    method.retryPolicy = {
      maxAttempts: Math.min(5, attempts),
      initialBackoff: duration(Math.max(1, backoff.base)),
      maxBackoff: duration(Math.max(1, backoff.base, backoff.max)),
      backoffMultiplier: backoff.factor,
      retryableStatusCodes: grpcCodesOf(wanted, desk),
    };
    if (backoff.base < 1)
      desk.lose({ path: "wait", wanted: `${backoff.base} ms`, got: "1 ms", why: "a backoff is above 0" });
  }
  return { methodConfig: [method] };
};

function loseGrpcJitter({ jitter }: Backoff, { lose }: Desk): void {
  const isTheirs = typeof jitter === "object" && jitter.from === 0.8 && jitter.to === 1.2;
  if (isTheirs) return;
  const wanted = typeof jitter === "string" ? `${jitter} jitter` : jitter;
  lose({ path: "wait", wanted, got: "±20 %, or full jitter in older clients", why: "the jitter is the client's own" });
}

/** Protobuf's JSON of a duration. */
function duration(ms: number): string {
  return `${Number((ms / 1_000).toFixed(9))}s`;
}

// What the caller cancelled is no error to be retried.
const ALL_CODES = /* @__PURE__ */ GRPC_CODES.filter((code) => code !== "OK" && code !== "CANCELLED");

function grpcCodesOf(wanted: Wanted, desk: Desk): readonly string[] {
  if (wanted.kind !== "codes") {
    if (wanted.kind !== "all") desk.unsaid("gRPC knows errors by their codes");
    return ALL_CODES;
  }
  const codes = wanted.codes.map((code) =>
    GRPC_CODES.find((name, number) => number > 0 && (name === code || number === code)),
  );
  if (codes.includes(undefined)) {
    desk.unsaid("only the codes of gRPC can be said, 1 to 16 and their names");
    const known = codes.filter((code) => code !== undefined);
    return known.length > 0 ? known : ALL_CODES;
  }
  return codes as string[];
}
