import fc from "fast-check";
import { parseRetryAfter, serverDelay } from "undaunted/http";
import { expect, it } from "vitest";
import { parseHttpDate } from "../../src/hints/http-date.js";
import { serverVerdict } from "../../src/hints/server-delay.js";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const [FIRST, LAST] = [Date.parse("0000-01-01T00:00:00Z"), Date.UTC(9999, 11, 31, 23, 59, 59)];

const two = (n: number) => String(n).padStart(2, "0");

/** The three forms of an HTTP-date, written here from the RFC's grammar. */
function formsOf(date: Date) {
  const weekday = WEEKDAYS[date.getUTCDay()]!;
  const [day, month] = [date.getUTCDate(), MONTHS[date.getUTCMonth()]!];
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(":");
  return {
    fixdate: `${weekday.slice(0, 3)}, ${two(day)} ${month} ${year} ${time} GMT`,
    rfc850: `${weekday}, ${two(day)}-${month}-${year.slice(2)} ${time} GMT`,
    asctime: `${weekday.slice(0, 3)} ${month} ${String(day).padStart(2)} ${time} ${year}`,
  };
}

const second = fc.integer({ min: FIRST / 1_000, max: LAST / 1_000 }).map((seconds) => new Date(seconds * 1_000));
const recent = fc.integer({ min: 0, max: 4e9 }).map((seconds) => seconds * 1_000);

const valid = fc.oneof(
  second.chain((date) => fc.constantFrom(...Object.values(formsOf(date)))),
  fc.nat().map(String),
  fc.double({ min: 0, noNaN: true }).map(String),
  fc.bigInt({ min: 0n, max: 10n ** 400n }).map(String),
  fc
    .array(fc.tuple(fc.constantFrom('"a"', '"b\\""', "c"), fc.nat(2), fc.nat()), { minLength: 1, maxLength: 3 })
    .map((items) => items.map(([name, r, t]) => `${name};r=${r};t=${t}`).join(", ")),
  fc.tuple(fc.nat(2), fc.nat()).map(([remaining, reset]) => `limit=9, remaining=${remaining}, reset=${reset}`),
  fc.constantFrom("true", "FALSE"),
);
const character = fc.constantFrom(...' \t\n,;:=-+."\\()e0129xX٣aGMTnof');

/** A valid value, or one that is a slip of the pen away from it. */
const nearly = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(60), fc.nat(2), fc.oneof(character, fc.constant(""))), { maxLength: 3 }))
  .map(([text, slips]) =>
    slips.reduce((slipped, [at, cut, put]) => slipped.slice(0, at) + put + slipped.slice(at + cut), text),
  );
const text = fc.oneof(nearly, fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: character }));
const now = fc.oneof(recent, fc.double({ noNaN: true, noDefaultInfinity: true }));

const NAMES = [
  "date",
  "retry-after-ms",
  "x-ms-retry-after-ms",
  "retry-after",
  "x-amz-retry-after",
  "ratelimit",
  "x-ratelimit-reset",
  "ratelimit-reset",
  "x-rate-limit-reset",
  "x-ratelimit-remaining",
  "x-should-retry",
];
const value = fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.anything() }, fc.array(text));
const headers = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 5 })
  .map((entries) => new Map<string, unknown>(entries));
const status = fc.constantFrom(undefined, 200, 403, 429, 503);

const isDelay = (ms: number | undefined) => ms === undefined || (Number.isSafeInteger(Math.floor(ms)) && ms >= 0);

it("any text and any time give a finite delay from 0 or none", () => {
  fc.assert(
    fc.property(text, now, (each, at) => {
      expect(parseRetryAfter(each, at)).toSatisfy(isDelay);
    }),
    { numRuns: 1_000 },
  );
});

it("any headers give a finite delay from 0 or none", () => {
  fc.assert(
    fc.property(headers, now, status, (each, at, answer) => {
      expect(serverDelay(each, at, answer)).toSatisfy(isDelay);
    }),
    { numRuns: 2_000 },
  );
});

it("any headers say true, false or nothing", () => {
  fc.assert(
    fc.property(headers, (each) => {
      expect(serverVerdict(each)).toSatisfy((verdict) => verdict === undefined || typeof verdict === "boolean");
    }),
  );
});

it("any text is the time of an HTTP-date or none", () => {
  fc.assert(
    fc.property(text, now, (each, at) => {
      expect(parseHttpDate(each, at)).toSatisfy((time) => time === undefined || Number.isInteger(time));
    }),
    { numRuns: 1_000 },
  );
});

it("what is read as a date is one of its forms, letter by letter", () => {
  fc.assert(
    fc.property(nearly, recent, (each, at) => {
      const time = parseHttpDate(each, at);
      if (time === undefined || each.includes(":60")) return;

      // The RFC lets asctime write a day below 10 both ways.
      const { fixdate, rfc850, asctime } = formsOf(new Date(time));
      expect([fixdate, rfc850, asctime, asctime.replace("  ", " 0")]).toContain(each);
    }),
    { numRuns: 2_000 },
  );
});

it("a date of any year is read back from IMF-fixdate and asctime", () => {
  fc.assert(
    fc.property(second, recent, (date, at) => {
      const { fixdate, asctime } = formsOf(date);

      expect([parseHttpDate(fixdate, at), parseHttpDate(asctime, at)]).toEqual([date.getTime(), date.getTime()]);
    }),
  );
});

it("a date within 49 years of now is read back from RFC 850", () => {
  const years = fc.integer({ min: -49 * 365 * 86_400, max: 49 * 365 * 86_400 });
  fc.assert(
    fc.property(recent, years, (at, away) => {
      const time = at + away * 1_000;

      expect(parseHttpDate(formsOf(new Date(time)).rfc850, at)).toBe(time);
    }),
  );
});

it("a date is that of Date.UTC exactly where the calendar has the day", () => {
  const day = fc.tuple(fc.integer({ min: 100, max: 9_999 }), fc.nat(11), fc.nat(40));
  fc.assert(
    fc.property(day, ([year, month, ofMonth]) => {
      const date = new Date(Date.UTC(year, month, ofMonth));
      const weekday = WEEKDAYS[date.getUTCDay()]!.slice(0, 3);

      const time = parseHttpDate(
        `${weekday}, ${two(ofMonth)} ${MONTHS[month]} ${String(year).padStart(4, "0")} 00:00:00 GMT`,
      );

      expect(time).toBe(date.getUTCMonth() === month ? date.getTime() : undefined);
    }),
  );
});

it("seconds are read up to what a number can count", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), recent, (seconds, at) => {
      const ms = seconds * 1_000n;

      expect(parseRetryAfter(`${seconds}`, at)).toBe(Math.min(Number(ms), Number.MAX_SAFE_INTEGER));
    }),
  );
});

it("a date is the time from now until then, and from the response's Date where there is one", () => {
  fc.assert(
    fc.property(recent, recent, recent, (then, sent, at) => {
      const [after, date] = [then, sent].map((time) => formsOf(new Date(time)).fixdate);

      expect(parseRetryAfter(after, at)).toBe(Math.max(0, then - at));
      expect(serverDelay(new Map([["retry-after", after]]), at)).toBe(Math.max(0, then - at));
      expect(serverDelay(new Headers({ "retry-after": after!, date: date! }), at)).toBe(Math.max(0, then - sent));
    }),
  );
});
