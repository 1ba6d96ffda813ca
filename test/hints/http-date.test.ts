import { describe, expect, it } from "vitest";
import { parseHttpDate } from "../../src/hints/http-date.js";

const NOW = Date.UTC(2026, 0, 1);

it.each([
  ["IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT"],
  ["RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT"],
  ["asctime", "Sun Nov  6 08:49:37 1994"],
])("a date in the form of %s is read", (_, text) => {
  expect(parseHttpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
});

it.each([
  ["Thu, 01 Jan 2026 00:00:00 GMT", 0],
  ["Sun, 01 Feb 2026 00:00:00 GMT", 1],
  ["Sun, 01 Mar 2026 00:00:00 GMT", 2],
  ["Wed, 01 Apr 2026 00:00:00 GMT", 3],
  ["Fri, 01 May 2026 00:00:00 GMT", 4],
  ["Mon, 01 Jun 2026 00:00:00 GMT", 5],
  ["Wed, 01 Jul 2026 00:00:00 GMT", 6],
  ["Sat, 01 Aug 2026 00:00:00 GMT", 7],
  ["Tue, 01 Sep 2026 00:00:00 GMT", 8],
  ["Thu, 01 Oct 2026 00:00:00 GMT", 9],
  ["Sun, 01 Nov 2026 00:00:00 GMT", 10],
  ["Tue, 01 Dec 2026 00:00:00 GMT", 11],
])("%s lies in its month", (text, month) => {
  expect(parseHttpDate(text, NOW)).toBe(Date.UTC(2026, month, 1));
});

it("asctime may write a day below 10 with a zero", () => {
  expect(parseHttpDate("Sun Nov 06 08:49:37 1994", NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
});

it("a year of four digits below 100 is that year", () => {
  expect(parseHttpDate("Sat, 06 Nov 0094 00:00:00 GMT", NOW)).toBe(Date.parse("0094-11-06T00:00:00Z"));
});

describe("no HTTP-date is", () => {
  it.each([
    ["nothing", ""],
    ["a number", "1733959257"],
    ["an ISO date", "1994-11-06T08:49:37Z"],
    ["a date alone", "Sun, 06 Nov 1994"],
    ["a date without its weekday", "06 Nov 1994 08:49:37 GMT"],
    ["a time zone of another name", "Sun, 06 Nov 1994 08:49:37 UTC"],
    ["a time zone that is a number", "Sun, 06 Nov 1994 08:49:37 +0000"],
    ["no time zone", "Sun, 06 Nov 1994 08:49:37"],
    ["asctime with a time zone", "Sun Nov  6 08:49:37 1994 GMT"],
    ["a space before", " Sun, 06 Nov 1994 08:49:37 GMT"],
    ["a letter before", "xSun, 06 Nov 1994 08:49:37 GMT"],
    ["a word before RFC 850", "on Sunday, 06-Nov-94 08:49:37 GMT"],
    ["a word before asctime", "on Sun Nov  6 08:49:37 1994"],
    ["a newline behind", "Sun, 06 Nov 1994 08:49:37 GMT\n"],
    ["a space too many", "Sun,  06 Nov 1994 08:49:37 GMT"],
    ["a space too few in asctime", "Sun Nov 6 08:49:37 1994"],
    ["other letters in lower case", "sun, 06 nov 1994 08:49:37 gmt"],
    ["a weekday in upper case", "SUN, 06 Nov 1994 08:49:37 GMT"],
    ["a weekday of two letters", "Su, 06 Nov 1994 08:49:37 GMT"],
    ["a weekday of two letters in asctime", "Su Nov  6 08:49:37 1994"],
    ["a month in full", "Sun, 06 November 1994 08:49:37 GMT"],
    ["a weekday in full in IMF-fixdate", "Sunday, 06 Nov 1994 08:49:37 GMT"],
    ["a weekday cut short in RFC 850", "Sun, 06-Nov-94 08:49:37 GMT"],
    ["a year of four digits in RFC 850", "Sunday, 06-Nov-1994 08:49:37 GMT"],
    ["a year of two digits in IMF-fixdate", "Sun, 06 Nov 94 08:49:37 GMT"],
    ["a year of five digits", "Sun, 06 Nov 11994 08:49:37 GMT"],
    ["digits of another script", "Sun, 0٦ Nov 1994 08:49:37 GMT"],
    ["parts of a second", "Sun, 06 Nov 1994 08:49:37.5 GMT"],
    ["a month that is none, a year before", "Sat, 06 Foo 1994 08:49:37 GMT"],
    ["a month cut out of two", "Sun, 06 anF 1994 08:49:37 GMT"],
    ["two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"],
  ])("%s", (_, text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  // Each has the weekday of the day that a calendar without bounds would take it for.
  it.each([
    ["day 0", "Mon, 00 Nov 1994 00:00:00 GMT"],
    ["day 0 in asctime", "Mon Nov  0 00:00:00 1994"],
    ["30 February", "Sat, 30 Feb 2024 00:00:00 GMT"],
    ["29 February of a common year", "Sun, 29 Feb 2026 00:00:00 GMT"],
    ["29 February of 1900", "Thu, 29 Feb 1900 00:00:00 GMT"],
    ["31 April", "Fri, 31 Apr 2026 00:00:00 GMT"],
    ["32 January", "Sun, 32 Jan 2026 00:00:00 GMT"],
    ["29 February of a common year in RFC 850", "Sunday, 29-Feb-26 00:00:00 GMT"],
  ])("%s", (_, text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  it.each(["24:00:00", "25:00:00", "23:60:00", "23:59:61", "12:34:60", "00:59:60", "23:58:60", "8:49:37", "08:49"])(
    "a time of %s",
    (time) => {
      expect(parseHttpDate(`Sun, 06 Nov 1994 ${time} GMT`, NOW)).toBeUndefined();
    },
  );

  it.each([
    ["IMF-fixdate", "Mon, 06 Nov 1994 08:49:37 GMT"],
    ["RFC 850", "Monday, 06-Nov-94 08:49:37 GMT"],
    ["asctime", "Mon Nov  6 08:49:37 1994"],
  ])("a day that was another weekday, in the form of %s", (_, text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });
});

it.each([
  ["2000", "Tue, 29 Feb 2000 00:00:00 GMT"],
  ["2024", "Thu, 29 Feb 2024 00:00:00 GMT"],
])("%s has a 29 February", (year, text) => {
  expect(parseHttpDate(text, NOW)).toBe(Date.UTC(Number(year), 1, 29));
});

it.each([
  ["the first second of a day", "Sun, 06 Nov 1994 00:00:00 GMT", Date.UTC(1994, 10, 6)],
  ["the last second of a day", "Sun, 06 Nov 1994 23:59:59 GMT", Date.UTC(1994, 10, 6, 23, 59, 59)],
  ["an evening", "Sun, 06 Nov 1994 19:05:00 GMT", Date.UTC(1994, 10, 6, 19, 5)],
])("%s is read", (_, text, time) => {
  expect(parseHttpDate(text, NOW)).toBe(time);
});

it("a leap second is the first of the next day", () => {
  expect(parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT", NOW)).toBe(Date.UTC(2017, 0, 1));
});

describe("a year of two digits", () => {
  it.each([
    ["in this century", "Friday, 02-Jan-26 00:00:00 GMT", Date.UTC(2026, 0, 2)],
    ["exactly 50 years away", "Wednesday, 01-Jan-76 00:00:00 GMT", Date.UTC(2076, 0, 1)],
    [
      "a second more than 50 years away, and so in the past",
      "Thursday, 01-Jan-76 00:00:01 GMT",
      Date.UTC(1976, 0, 1, 0, 0, 1),
    ],
    ["51 years away, and so in the past", "Saturday, 01-Jan-77 00:00:00 GMT", Date.UTC(1977, 0, 1)],
  ])("is %s", (_, text, time) => {
    expect(parseHttpDate(text, NOW)).toBe(time);
  });

  it("is counted to the day and hour", () => {
    const now = Date.UTC(2026, 5, 15, 12);

    expect(parseHttpDate("Monday, 15-Jun-76 12:00:00 GMT", now)).toBe(Date.UTC(2076, 5, 15, 12));
    expect(parseHttpDate("Tuesday, 15-Jun-76 12:00:01 GMT", now)).toBe(Date.UTC(1976, 5, 15, 12, 0, 1));
  });

  it("is of the coming century at the end of one", () => {
    const now = Date.UTC(2099, 11, 31, 23, 59, 30);

    expect(parseHttpDate("Friday, 01-Jan-00 00:00:00 GMT", now)).toBe(Date.UTC(2100, 0, 1));
  });

  it("is of the last century at the beginning of one", () => {
    const now = Date.UTC(2100, 0, 1);

    expect(parseHttpDate("Thursday, 31-Dec-99 23:59:59 GMT", now)).toBe(Date.UTC(2099, 11, 31, 23, 59, 59));
  });

  it("is read as of today where no time is given", () => {
    const yesterday = new Date(Date.now() - 86_400_000);
    const [weekday, day, month, year] = ["long", "2-digit", "short", "2-digit"].map((style, index) =>
      yesterday.toLocaleString("en-GB", { [["weekday", "day", "month", "year"][index]!]: style, timeZone: "UTC" }),
    );

    const time = parseHttpDate(`${weekday}, ${day}-${month!.slice(0, 3)}-${year} 00:00:00 GMT`);

    expect(time).toBe(yesterday.setUTCHours(0, 0, 0, 0));
  });

  it("is no date at a time that has no year", () => {
    expect(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", 1e300)).toBeUndefined();
  });
});
