// What other projects' own tests state of Retry-After, its cousins and HTTP-dates, replayed against ours. They contradict
// each other: a row whose rule is not ours is named below with the reason.
//
// ky's own tests of retry-after-153 and -154 also send a good RateLimit-Reset, which ky does not ask then and we do. The
// rows hold what we agree on: that the value is no hint.

import { serverDelay } from "undaunted/http";
import { expect, it } from "vitest";
import { parseHttpDate } from "../../src/hints/http-date.js";
import dates from "../vectors/http-date.json";
import hints from "../vectors/retry-after.json";

interface Hint {
  id: string;
  src: string;
  headers: Record<string, string | string[]>;
  nowEpochMs: number | null;
  /** "fallback": the peer's own backoff, as where a row says `ignoredHeader`, or the delay is one of these. */
  expectDelayMs: number | string | null;
  ignoredHeader?: boolean;
  computedBackoffMs?: number;
  fallbackMinMs?: number;
  status?: number;
}

const rows = hints.rows as unknown as readonly Hint[];
const NOW = Date.UTC(2026, 0, 1);

const ITS_CAP = "the peer's parser cuts at its own maximum; ours answers what was asked for, and maxRetryAfter decides";
const ITS_CLAMP = "the peer returns its own backoff, raised by the hint within limits; ours returns the hint";
const ZERO = "the peer ignores a hint of 0, also from a past date; RFC 9110 allows it and ours returns 0";
const ZERO_FOR_NONE = "the peer returns 0 for a malformed value; ours says that there is no hint";
const DECIMALS = "the peer refuses decimals in Retry-After; Shopify and others send them, and ours reads them";
const NO_DATE = "the peer reads dates that RFC 9110 does not have";

const leftOut: Record<string, string> = {
  "retry-after-006": DECIMALS,
  "retry-after-014": NO_DATE,
  "retry-after-027": ITS_CAP,
  "retry-after-029": ITS_CAP,
  "retry-after-053": ZERO,
  "retry-after-056": ITS_CAP,
  "retry-after-058": ZERO,
  "retry-after-059": ZERO,
  "retry-after-061": ITS_CAP,
  "retry-after-062": ITS_CAP,
  "retry-after-086": ZERO,
  "retry-after-087": ITS_CAP,
  "retry-after-098": ZERO_FOR_NONE,
  "retry-after-100": ZERO_FOR_NONE,
  "retry-after-108": DECIMALS,
  "retry-after-118": "a newline is no whitespace in a header's value, and no client hands one out",
  "retry-after-125": DECIMALS,
  "retry-after-130": ITS_CAP,
  "retry-after-135": "the peer reads seconds behind a date, which no specification has",
  "retry-after-138": NO_DATE,
  "retry-after-144": ITS_CLAMP,
  "retry-after-145": ITS_CLAMP,
  "retry-after-149": ZERO_FOR_NONE,
  "retry-after-150": ZERO_FOR_NONE,
  "retry-after-151": ITS_CAP,
  "retry-after-161": ITS_CAP,
  "retry-after-162": "the peer takes second 60 in any minute; a leap second is at 23:59:60 and nowhere else",
  "http-date-231": NO_DATE,
};

/** What a row expects of the headers alone. */
function hintOf(row: Hint): unknown {
  const { expectDelayMs, ignoredHeader, computedBackoffMs, fallbackMinMs, headers } = row;
  const isBackoff =
    expectDelayMs === null ||
    expectDelayMs === "fallback" ||
    ignoredHeader === true ||
    expectDelayMs === computedBackoffMs ||
    (Object.keys(headers).length === 0 && expectDelayMs === fallbackMinMs);
  return isBackoff ? undefined : expectDelayMs;
}

it.each([
  ["urllib3", 14],
  ["go-retryablehttp", 13],
  ["openai-py", 6],
  ["ai-sdk", 9],
  ["openfga-java", 4],
  ["civiform", 5],
  ["deno-util", 5],
  ["ra-parser-ts", 9],
  ["aws-ts-ra", 5],
  ["botocore-v21", 3],
  ["axios-retry", 1],
  ["ky", 6],
  ["undici", 2],
])("hints are those of %s in %i rows", (src, count) => {
  const followed = rows.filter((row) => row.src === src && !(row.id in leftOut));

  expect(followed).toHaveLength(count);
  for (const row of followed) {
    const headers = new Map(Object.entries(row.headers));
    expect(serverDelay(headers, row.nowEpochMs ?? NOW, row.status), row.id).toBe(hintOf(row));
  }
});

it.each([
  ["undici-date", 139],
  ["urllib3", 2],
])("dates are those of %s in %i rows", (src, count) => {
  const followed = dates.rows.filter((row) => row.src === src && !(row.id in leftOut));

  expect(followed).toHaveLength(count);
  for (const { id, input, expectEpochMs } of followed) {
    expect(parseHttpDate(input, NOW), id).toBe(expectEpochMs ?? undefined);
  }
});

it("a row is left out only where ours returns something else", () => {
  const of = (all: readonly { id: string }[]) => all.map(({ id }) => id).filter((id) => id in leftOut);
  const agreeing = [
    ...rows.filter(({ headers, nowEpochMs, status, ...row }) => {
      const ours = serverDelay(new Map(Object.entries(headers)), nowEpochMs ?? NOW, status);
      return row.id in leftOut && ours === row.expectDelayMs;
    }),
    ...dates.rows.filter(({ id, input, expectEpochMs }) => id in leftOut && parseHttpDate(input) === expectEpochMs),
  ];

  expect([...of(rows), ...of(dates.rows)]).toEqual(Object.keys(leftOut));
  expect(agreeing).toEqual([]);
});

it("every source is replayed", () => {
  const named = (all: readonly { src: string }[]) => [...new Set(all.map(({ src }) => src))].sort();

  expect(named(rows)).toEqual(Object.keys(hints.sources).sort());
  expect(named(dates.rows)).toEqual(Object.keys(dates.sources).sort());
});
