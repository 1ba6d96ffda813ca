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

export const awsVerdict: Verdict = (error) => {
  const metadata = readField(error, "$metadata");
  if (metadata === undefined) return undefined;
  const name = String(readField(error, "name"));
  const retryable = readField(error, "$retryable");
  const status = readField(metadata, "httpStatusCode");
  const isThrottled = AWS_THROTTLING.includes(name) || status === 429 || readField(retryable, "throttling") === true;
  if (isThrottled || CLOCK_SKEW.includes(name)) return "safe";
  if (IDEMPOTENT.includes(name) || IDEMPOTENT_STATUSES.includes(status) || retryable !== undefined) return "idempotent";
  return readField(error, "$fault") === "client" ? "permanent" : undefined;
};

/**
 * Tells whether a call of an AWS service may be made again: from the errors of the AWS SDK for JavaScript, version 3, and of the network. The SDK
 * retries by itself: give its clients `maxAttempts: 1`, or the attempts multiply.
 *
 * @example
 * classifyAwsError({ name: "ThrottlingException", $fault: "client", $metadata: { httpStatusCode: 400 } }); // => "safe"
 * classifyAwsError({ name: "ValidationException", $fault: "client", $metadata: { httpStatusCode: 400 } }); // => "permanent"
 */
export function classifyAwsError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => awsVerdict(...asked) ?? networkVerdict(...asked));
}
