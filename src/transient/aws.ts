import { AWS_THROTTLING } from "../common/aws-throttling.js";
import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// The names are those of the AWS SDK for JavaScript, @smithy/core's service-error-classification.

/**
 * The client's clock was wrong: the SDK has set it right by now. It retries a wrong signature for the same reason; but that may be a wrong
 * secret as well.
 */
const CLOCK_SKEW: readonly unknown[] = ["RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"];

const IDEMPOTENT: readonly string[] = ["RequestTimeout", "RequestTimeoutException", "TimeoutError"];
const IDEMPOTENT_STATUSES: readonly unknown[] = [500, 502, 503, 504];

/** Why a transaction of DynamoDB was cancelled, where nothing but the moment is to blame. */
const PASSING: readonly string[] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/** DynamoDB's TransactionCanceledException: a reason for each of the transaction's items, "None" for those that are not to blame. */
function verdictOfReasons(error: unknown): Retryability {
  const blamed = reasonsOf(error).filter((reason) => reason !== "None");
  return blamed.length > 0 && blamed.every((reason) => PASSING.includes(reason)) ? "safe" : "permanent";
}

function reasonsOf(error: unknown): string[] {
  const reasons = readField(error, "CancellationReasons");
  if (Array.isArray(reasons)) return reasons.map((reason) => String(readField(reason, "Code")));
  // Where they are not parsed, they stand in the message alone.
  return (/\[([\w, ]+)\]/.exec(String(readField(error, "message")))?.[1] ?? "").split(/, */);
}

export const awsVerdict: Verdict = (error) => {
  const metadata = readField(error, "$metadata");
  if (metadata === undefined) return undefined;
  const name = String(readField(error, "name"));
  if (name === "TransactionCanceledException") return verdictOfReasons(error);
  if (name === "TransactionConflictException") return "safe";
  const retryable = readField(error, "$retryable");
  const status = readField(metadata, "httpStatusCode");
  const isThrottled = AWS_THROTTLING.includes(name) || status === 429 || readField(retryable, "throttling") === true;
  if (isThrottled || CLOCK_SKEW.includes(name)) return "safe";
  if (IDEMPOTENT.includes(name) || IDEMPOTENT_STATUSES.includes(status) || retryable !== undefined) return "idempotent";
  return readField(error, "$fault") === "client" ? "permanent" : undefined;
};

/**
 * Says whether a call of an AWS service may be made again: from the errors of the AWS SDK for JavaScript, version 3, and of the network. The SDK
 * retries by itself: give its clients `maxAttempts: 1`, or the attempts multiply.
 *
 * @example
 * classifyAwsError({ name: "ThrottlingException", $fault: "client", $metadata: { httpStatusCode: 400 } }); // => "safe"
 * classifyAwsError({ name: "ValidationException", $fault: "client", $metadata: { httpStatusCode: 400 } }); // => "permanent"
 */
export function classifyAwsError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => awsVerdict(...asked) ?? networkVerdict(...asked));
}
