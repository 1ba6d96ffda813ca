import type { RetryOptions } from "../common/attempt.js";
import { check, OPTIONS } from "../common/validate.js";
import { ASYNC, compile } from "../loop/policy.js";
import type { AwsRetryMode, GrpcRetryPolicy, PolicyData } from "./data.js";
import { remember } from "./described.js";
import { translated } from "./foreign.js";
import type { Kind } from "./kinds.js";
import { OPTIONS_AS_DATA } from "./options.js";
import { type Place, type Refs, readObject, readValue, within } from "./read.js";

/**
 * Returns the options that data says, for `retry` and all that takes a policy. Its words are the names of the code. What data
 * cannot hold (functions, classes, budgets, signals) it names, and `refs` has. A `retryPolicy` of gRPC and an AWS SDK's retry mode
 * are read too. Throws a `TypeError` or `RangeError` that names the path, as `wait.waitFullJitter.max`.
 *
 * @example
 * const options = policyFrom({ stop: { stopAfterAttempt: 2 }, wait: "waitNone", retryIf: { retryIfErrorCode: [503] } });
 * await retry(flaky([Object.assign(new Error("busy"), { status: 503 }), "ok"]), options)(); // => "ok"
 */
export function policyFrom(
  data: PolicyData | GrpcRetryPolicy | { readonly retryPolicy: GrpcRetryPolicy } | AwsRetryMode,
  refs: Refs = {},
): RetryOptions {
  check("policyFrom", "data", data, OPTIONS);
  check("policyFrom", "refs", refs, OPTIONS);
  const place: Place = { path: "", depth: 0, refs, made: remember };
  const names = Object.fromEntries(Object.keys(OPTIONS_AS_DATA).map((name) => [name, "optional" as const]));
  // An editor's word for where the schema is.
  const { $schema: _, ...words } = (translated(data) ?? data) as Record<string, unknown>;
  const given = readObject(words, names, place, "an object");
  const options = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      readOption(OPTIONS_AS_DATA[name]!, value, within(place, name)),
    ]),
  ) as RetryOptions;
  checkRefs(options);
  return options;
}

function readOption(kinds: readonly Kind[], data: unknown, place: Place): unknown {
  const isRef = typeof data === "object" && data !== null;
  return readValue(isRef ? kinds[kinds.length - 1]! : kinds[0]!, data, place);
}

/** What a reference led to may not be what the option takes. */
function checkRefs(options: RetryOptions): void {
  try {
    compile(ASYNC, options);
  } catch (cause) {
    const { message } = cause as Error;
    throw new (cause instanceof RangeError ? RangeError : TypeError)(message.replace(/^retry: /, "policyFrom: "), {
      cause,
    });
  }
}
