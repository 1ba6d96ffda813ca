// What other projects' own tests say of which failures are worth another attempt, replayed where the rule is ours too.
// The file in vectors/ says which project, file and commit each row was taken from. It is a whole copy: rows about
// something else, and those in which a project does otherwise than we do, are left out below, each with its reason.

import { isIdempotentMethod, isNetworkError, isRetryableStatus } from "undaunted/http";
import { describe, expect, it } from "vitest";
import vectors from "../vectors/classification.json";

interface Row {
  id: string;
  src: string;
  group: string;
  input: {
    method?: string;
    status?: number | null;
    code?: string | null;
    errorCode?: string | null;
    message?: string;
    error?: string;
    cause?: string;
    kind?: string;
  };
  expectRetryable: boolean | null;
}

const THROTTLING = "asks whether it is throttling, not whether it is retryable";
const AWS_CODE = "an AWS error code";
const GO = "an error of Go's, told by a text or a method that no JavaScript error has";
const LISTS = "lists of statuses and methods are options, and these functions know the default ones";
const PUT_DELETE = "isSafeRequestError refuses PUT and DELETE, which are idempotent";
const TIMEOUT = "axios' code for a timeout: retried here where the method is idempotent";

const LEFT_OUT: Record<string, string> = {
  "classification-001": AWS_CODE,
  "classification-002": AWS_CODE,
  "classification-004": AWS_CODE,
  "classification-007": AWS_CODE,
  "classification-008": AWS_CODE,
  "classification-009": AWS_CODE,
  "classification-016": AWS_CODE,
  "classification-017": THROTTLING,
  "classification-018": THROTTLING,
  "classification-019": THROTTLING,
  "classification-021": AWS_CODE,
  "classification-022": AWS_CODE,
  "classification-030": "any error of an HTTP client, without saying which",
  "classification-032": AWS_CODE,
  "classification-049": "429 is throttling there, and therefore not transient",
  "classification-051": "asks about HTTP/2 alone",
  "classification-055": GO,
  "classification-056": GO,
  "classification-059": GO,
  "classification-060": GO,
  "classification-061": GO,
  "classification-075": "retries everything that is not on its list",
  "classification-076": "ENOTFOUND: AWS, got, undici and Azure retry it, and so do we",
  "classification-120": PUT_DELETE,
  "classification-127": PUT_DELETE,
  "classification-129": PUT_DELETE,
  "classification-133": TIMEOUT,
  "classification-134": "a request without a method: isIdempotentMethod refuses that",
  "classification-137": TIMEOUT,
  "classification-142": TIMEOUT,
  "classification-145": LISTS,
  "classification-147": LISTS,
  "classification-148": LISTS,
  "classification-149": LISTS,
  "classification-150": LISTS,
  "classification-152": LISTS,
  "classification-153": LISTS,
  "classification-154": LISTS,
  "classification-157": LISTS,
  "classification-159": "a gRPC status",
  "classification-168": GO,
  "classification-170": GO,
};

const rows = vectors.rows as unknown as readonly Row[];
const replayed = rows.filter(({ id }) => !(id in LEFT_OUT));

/** The error that a row describes. */
function errorOf({ code, message, error = "Error", cause, kind }: Row["input"]): unknown {
  const [name, ofName] = error.split(": ");
  const made = Object.assign(new Error(message ?? ofName), { name, ...(code && { code }) });
  if (cause === "<itself>") made.cause = made;
  if (kind === "canceled wrapping a retryable error") {
    made.name = "AbortError";
    made.cause = Object.assign(new Error(), { code: "ECONNRESET" });
  }
  return made;
}

/** A status is judged by itself, its absence by the error, where the row describes one. */
function isRetryable({ input }: Row): boolean {
  const { method, status } = input;
  if (method !== undefined && !isIdempotentMethod(method)) return false;
  if (typeof status === "number") return isRetryableStatus(status);
  const describesError = ["code", "error", "cause", "kind"].some((field) => field in input);
  return !describesError || isNetworkError(errorOf(input));
}

describe("classification", () => {
  it.each(replayed)("$id of $src, $group: $input", (row) => {
    expect(isRetryable(row)).toBe(row.expectRetryable);
  });

  it("is replayed in 57 rows of 99", () => {
    expect([replayed.length, rows.length]).toEqual([57, 99]);
  });

  it("leaves out no row that is not there", () => {
    const ids = rows.map(({ id }) => id);

    expect(Object.keys(LEFT_OUT).filter((id) => !ids.includes(id))).toEqual([]);
  });
});
