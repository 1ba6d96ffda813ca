import { check, OPTIONS, type Rule } from "../common/validate.js";
import type { GrpcRetryPolicy, PolicyData } from "./data.js";
import { count } from "./kinds.js";

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
  // An editor's word for where the schema is.
  const { $schema: _, ...words } = data as Record<string, unknown>;
  const { retryPolicy, retryMode, maxAttempts, initialBackoff } = words;
  if (retryPolicy !== undefined) {
    // The methods that a method config is for are no part of the policy; its timeout would be.
    refuseOthers("", words, ["retryPolicy", "name"]);
    check("policyFrom", "retryPolicy", retryPolicy, OPTIONS);
    return fromGrpc(retryPolicy as GrpcRetryPolicy, "retryPolicy.");
  }
  if (retryMode !== undefined) return fromAws(words);
  return maxAttempts !== undefined && initialBackoff !== undefined ? fromGrpc(words, "") : undefined;
}

// A6: the delay before the nth retry is min(initialBackoff · multiplier^(n-1), maxBackoff), times 0.8 to 1.2; more than five
// attempts count as five. https://github.com/grpc/proposal/blob/master/A6-client-retries.md
function fromGrpc(policy: Readonly<Record<string, unknown>> | GrpcRetryPolicy, at: string): PolicyData {
  refuseOthers(at, policy, Object.keys(GRPC));
  for (const [name, rule] of Object.entries(GRPC)) {
    check("policyFrom", `${at}${name}`, (policy as Record<string, unknown>)[name], rule);
  }
  const { maxAttempts, initialBackoff, maxBackoff, backoffMultiplier, retryableStatusCodes } =
    policy as GrpcRetryPolicy;
  const [base, max] = [msOf(initialBackoff), msOf(maxBackoff)];
  return {
    stop: { stopAfterAttempt: Math.min(5, maxAttempts) },
    wait: { waitJittered: { wait: { waitExponential: { base, factor: backoffMultiplier, max } }, from: 0.8, to: 1.2 } },
    retryIf: {
      retryIfErrorCode: retryableStatusCodes.map((code, index) => codeOf(code, `${at}retryableStatusCodes[${index}]`)),
    },
  };
}

const DURATION: Rule = [
  'a duration above 0 as "0.1s"',
  "string",
  (text: string) => /^\d{1,12}(\.\d{1,9})?s$/.test(text) && msOf(text) > 0,
];
const GRPC: Readonly<Record<keyof GrpcRetryPolicy, Rule>> = {
  maxAttempts: ["a whole number from 2", "number", (n) => Number.isInteger(n) && n >= 2],
  initialBackoff: DURATION,
  maxBackoff: DURATION,
  backoffMultiplier: ["a number from 1", "number", (n) => n >= 1 && n < Infinity],
  retryableStatusCodes: [
    "a list of codes of gRPC",
    "object",
    (codes: unknown) => Array.isArray(codes) && codes.length > 0,
  ],
};

/** A duration of protobuf's JSON, in ms. */
function msOf(duration: string): number {
  return Number.parseFloat(duration) * 1_000;
}

function codeOf(code: unknown, path: string): number {
  const number = typeof code === "string" ? GRPC_CODES.indexOf(code.toUpperCase()) : code;
  check("policyFrom", path, code, [
    'a code of gRPC as "UNAVAILABLE" or 14',
    "any",
    () => typeof number === "number" && GRPC_CODES[number] !== undefined,
  ]);
  return number as number;
}

// U(0, 1) · min(100 ms · 2^i, 20 s) with i from 0, three attempts: @smithy/core, submodule retry. What is slowed down after
// throttling (500 ms) and the quota of retries are no part of a policy as data: the latter is `awsRetryQuota`.
function fromAws(mode: Readonly<Record<string, unknown>>): PolicyData {
  const { retryMode, maxAttempts = 3 } = mode;
  refuseOthers("", mode, ["retryMode", "maxAttempts"]);
  check("policyFrom", "retryMode", retryMode, [
    '"standard" (the rate limiter of "adaptive" is no policy)',
    "string",
    (name) => name === "standard",
  ]);
  check("policyFrom", "maxAttempts", maxAttempts, count.rule);
  return {
    stop: { stopAfterAttempt: maxAttempts as number },
    wait: { waitFullJitter: { base: 100, max: 20_000 } },
    retryIf: { retryIfTransient: { idempotent: true } },
  };
}

function refuseOthers(at: string, data: object, known: readonly string[]): void {
  const other = Object.keys(data).find((name) => !known.includes(name));
  if (other === undefined) return;
  throw new TypeError(`policyFrom: there is no ${at}${other}; allowed are ${known.join(", ")}`);
}
