import { COUNT, check, show } from "../common/validate.js";
import type { AwsRetryMode, GrpcRetryPolicy, PolicyData } from "./data.js";

/** The codes of gRPC, by their numbers. */
export const GRPC_CODES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Data in another system's words as data in ours; `undefined` where it is ours. */
export function translated(data: object): PolicyData | undefined {
  const { retryPolicy, retryMode, maxAttempts, initialBackoff } = data as Record<string, unknown>;
  if (typeof retryPolicy === "object" && retryPolicy !== null) {
    // The methods that a method config is for are no part of the policy; its timeout would be.
    refuseOthers("", data, ["retryPolicy", "name"]);
    return fromGrpc(retryPolicy as GrpcRetryPolicy);
  }
  if (retryMode !== undefined) return fromAws(data as AwsRetryMode);
  return maxAttempts !== undefined && initialBackoff !== undefined ? fromGrpc(data as GrpcRetryPolicy) : undefined;
}

// A6: the delay before the nth retry is min(initialBackoff · multiplier^(n-1), maxBackoff), times 0.8 to 1.2; more than five
// attempts count as five. https://github.com/grpc/proposal/blob/master/A6-client-retries.md
function fromGrpc(policy: GrpcRetryPolicy): PolicyData {
  const { maxAttempts, initialBackoff, maxBackoff, backoffMultiplier, retryableStatusCodes } = policy;
  refuseOthers("retryPolicy", policy, [
    "maxAttempts",
    "initialBackoff",
    "maxBackoff",
    "backoffMultiplier",
    "retryableStatusCodes",
  ]);
  check("policyFrom", "retryPolicy.maxAttempts", maxAttempts, [
    "a whole number from 2",
    "number",
    (n) => Number.isInteger(n) && n >= 2,
  ]);
  check("policyFrom", "retryPolicy.backoffMultiplier", backoffMultiplier, ["a number from 1", "number", (n) => n >= 1]);
  check("policyFrom", "retryPolicy.retryableStatusCodes", retryableStatusCodes, [
    "a list of codes of gRPC",
    "object",
    (codes: unknown) => Array.isArray(codes) && codes.length > 0,
  ]);
  const [base, max] = [durationOf("initialBackoff", initialBackoff), durationOf("maxBackoff", maxBackoff)];
  return {
    stop: { stopAfterAttempt: Math.min(5, maxAttempts) },
    wait: { waitJittered: { wait: { waitExponential: { base, factor: backoffMultiplier, max } }, from: 0.8, to: 1.2 } },
    retryIf: { retryIfErrorCode: retryableStatusCodes.map(codeOf) },
  };
}

/** A duration of protobuf's JSON, in ms. */
function durationOf(name: string, text: unknown): number {
  const seconds = typeof text === "string" ? Number(/^(\d+(?:\.\d{1,9})?)s$/.exec(text)?.[1]) : Number.NaN;
  if (seconds > 0) return seconds * 1_000;
  throw new TypeError(`policyFrom: retryPolicy.${name} must be a duration above 0 as "0.1s", got ${show(text)}`);
}

function codeOf(code: string | number, index: number): number {
  const number = typeof code === "string" ? GRPC_CODES.indexOf(code.toUpperCase()) : code;
  if (GRPC_CODES[number]) return number;
  const path = `retryPolicy.retryableStatusCodes[${index}]`;
  throw new TypeError(`policyFrom: ${path} must be a code of gRPC as "UNAVAILABLE" or 14, got ${show(code)}`);
}

// U(0, 1) · min(100 ms · 2^i, 20 s) with i from 0, three attempts: @smithy/core, submodule retry. What is slowed down after
// throttling (500 ms) and the quota of retries are no part of a policy as data: the latter is `awsRetryQuota`.
function fromAws(mode: AwsRetryMode): PolicyData {
  const { retryMode, maxAttempts = 3 } = mode;
  refuseOthers("", mode, ["retryMode", "maxAttempts"]);
  check("policyFrom", "retryMode", retryMode, [
    '"standard" (the rate limiter of "adaptive" is no policy)',
    "string",
    (name) => name === "standard",
  ]);
  check("policyFrom", "maxAttempts", maxAttempts, COUNT);
  return {
    stop: { stopAfterAttempt: maxAttempts },
    wait: { waitFullJitter: { base: 100, max: 20_000 } },
    retryIf: { retryIfTransient: { idempotent: true } },
  };
}

function refuseOthers(path: string, data: object, known: readonly string[]): void {
  const other = Object.keys(data).find((name) => !known.includes(name));
  if (other === undefined) return;
  throw new TypeError(`policyFrom: there is no ${path && `${path}.`}${other}; allowed are ${known.join(", ")}`);
}
