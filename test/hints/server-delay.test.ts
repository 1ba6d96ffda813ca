import { AxiosHeaders } from "axios";
import { parseRetryAfter, serverDelay } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { serverVerdict } from "../../src/hints/server-delay.js";

const NOW = Date.UTC(2026, 0, 1);
const [RESOLVED, PAST] = ["Thu, 01 Jan 2026 00:01:00 GMT", "Wed, 31 Dec 2025 23:59:59 GMT"];

/** What the headers ask for, with a status that lets quotas count. */
const delayOf = (headers: Record<string, string>, status = 429) => serverDelay(new Headers(headers), NOW, status);

describe("Retry-After", () => {
  it.each([
    ["seconds", "120", 120_000],
    ["no seconds", "0", 0],
    ["seconds with decimals, as Shopify sends them", "2.0", 2_000],
    ["a part of a second", "0.25", 250],
    ["seconds with zeros before", "007", 7_000],
    ["seconds with spaces and tabs around", " \t120\t ", 120_000],
    ["a date", RESOLVED, 60_000],
    ["a date in the form of RFC 850", "Thursday, 01-Jan-26 00:01:00 GMT", 60_000],
    ["a date in the form of asctime", "Thu Jan  1 00:01:00 2026", 60_000],
    ["a date with spaces around", `  ${RESOLVED}  `, 60_000],
    ["this very moment", "Thu, 01 Jan 2026 00:00:00 GMT", 0],
    ["a date that is past", PAST, 0],
  ])("may be %s", (_, value, ms) => {
    expect(parseRetryAfter(value, NOW)).toBe(ms);
  });

  it.each([
    ["nothing", ""],
    ["spaces", "   "],
    ["a sign", "+5"],
    ["a negative number", "-5"],
    ["decimals without a digit before them", ".5"],
    ["decimals without a digit behind the point", "1."],
    ["two points", "1.5.0"],
    ["an exponent", "1e3"],
    ["hexadecimal", "0x10"],
    ["a unit", "5s"],
    ["two numbers", "2, 3"],
    ["a thousands separator", "1,000"],
    ["a space within", "3 0"],
    ["a space that is no OWS", "\u00a05"],
    ["a newline", "5\n"],
    ["digits of another script", "٥"],
    ["Infinity", "Infinity"],
    ["NaN", "NaN"],
    ["an ISO date", "2026-01-01T00:01:00Z"],
  ])("is unusable where it is %s", (_, value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined();
  });

  it.each([
    ["null", null],
    ["undefined", undefined],
    ["a number", 5],
    ["an array", ["5"]],
    ["an object", {}],
  ])("is unusable where it is not a string but %s", (_, value) => {
    expect(parseRetryAfter(value as string, NOW)).toBeUndefined();
  });

  it.each([
    ["26 nines", "9".repeat(26)],
    ["400 nines", "9".repeat(400)],
    ["one second more than can be counted in ms", "9007199254741"],
  ])("of %s stays huge, and finite", (_, value) => {
    expect(parseRetryAfter(value, NOW)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("of a date stays finite however wrong the clock is", () => {
    expect(parseRetryAfter(RESOLVED, -Number.MAX_VALUE)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("has parts of a ms where `now` has", () => {
    expect(parseRetryAfter(RESOLVED, NOW + 0.25)).toBe(59_999.75);
  });

  it("reads a year of two digits as at `now`", () => {
    const now = Date.UTC(1976, 0, 1);

    expect(parseRetryAfter("Thursday, 01-Jan-76 00:00:05 GMT", now)).toBe(5_000);
  });

  it.each([
    [Number.NaN, RangeError, "NaN"],
    [Infinity, RangeError, "Infinity"],
    [-Infinity, RangeError, "-Infinity"],
    ["0", TypeError, '"0"'],
    [undefined, TypeError, "undefined"],
    [new Date(NOW), TypeError, "[object Date]"],
  ])("cannot be told at the time %s", (now, kind, shown) => {
    const parse = () => parseRetryAfter(null, now as number);

    expect(parse).toThrow(kind);
    expect(parse).toThrow(`parseRetryAfter: now must be a finite number, got ${shown}`);
  });
});

describe("a hint in ms", () => {
  const names = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];

  it.each(names)("is read from %s", (name) => {
    expect(delayOf({ [name]: "1500" }, 503)).toBe(1_500);
  });

  it.each(names)("may have decimals in %s", (name) => {
    expect(delayOf({ [name]: "1500.25" })).toBe(1_500.25);
  });

  it.each(["-1", "+1", "1.", ".5", "1e3", "0x10", "", "soon", "1,5", "Infinity", "NaN", RESOLVED])(
    "is not %j",
    (value) => {
      expect(delayOf({ "retry-after-ms": value })).toBeUndefined();
    },
  );

  it("stays finite however many digits it has", () => {
    expect(delayOf({ "retry-after-ms": "9".repeat(400) })).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("of several hints", () => {
  // In the order in which they are believed, each with a delay of its own.
  const order: readonly (readonly [name: string, value: string, ms: number])[] = [
    ["retry-after-ms", "1", 1],
    ["x-ms-retry-after-ms", "2", 2],
    ["retry-after", "3", 3_000],
    ["x-amz-retry-after", "4", 4],
    ["ratelimit", '"default";r=0;t=5', 5_000],
    ["x-ratelimit-reset", "6", 6_000],
    ["ratelimit-reset", "7", 7_000],
    ["x-rate-limit-reset", "8", 8_000],
  ];

  it.each(order.map(([name, , ms], index) => [name, ms, index] as const))(
    "%s counts before all below it",
    (_, ms, index) => {
      const headers = Object.fromEntries(order.slice(index));

      expect(delayOf(headers)).toBe(ms);
    },
  );

  it.each(order.slice(1).map(([name, , ms], index) => [name, ms, index + 1] as const))(
    "%s counts where all above it are malformed",
    (_, ms, index) => {
      const malformed = order.slice(0, index).map(([above]) => [above, "soon;"]);

      expect(delayOf(Object.fromEntries([...malformed, ...order.slice(index)]))).toBe(ms);
    },
  );

  it("one of 0 ms is a hint like any other", () => {
    expect(delayOf({ "retry-after-ms": "0", "retry-after": "5" })).toBe(0);
  });
});

describe("a time is measured", () => {
  const LATE = "Thu, 01 Jan 2026 00:00:50 GMT";
  const resets = String(NOW / 1_000 + 60);

  it("against the response's own Date", () => {
    expect(delayOf({ date: LATE, "retry-after": RESOLVED })).toBe(10_000);
  });

  it("against a Date in another of its forms", () => {
    expect(delayOf({ date: "Thursday, 01-Jan-26 00:00:50 GMT", "retry-after": RESOLVED })).toBe(10_000);
  });

  it("against `now` where there is no Date", () => {
    expect(delayOf({ "retry-after": RESOLVED })).toBe(60_000);
  });

  it.each(["", "soon", "Fri, 01 Jan 2026 00:00:50 GMT", "2026-01-01T00:00:50Z"])(
    "against `now` where the Date is %j",
    (date) => {
      expect(delayOf({ date, "retry-after": RESOLVED })).toBe(60_000);
    },
  );

  it("against the Date where it is an epoch", () => {
    expect(delayOf({ date: LATE, "x-ratelimit-reset": resets })).toBe(10_000);
  });

  it("as 0 ms where it is past", () => {
    expect(delayOf({ date: "Thu, 01 Jan 2026 00:02:00 GMT", "retry-after": RESOLVED })).toBe(0);
  });

  it("as of the Date's century", () => {
    const headers = { date: "Thu, 01 Jan 1976 00:00:00 GMT", "retry-after": "Thursday, 01-Jan-76 00:00:05 GMT" };

    expect(delayOf(headers)).toBe(5_000);
  });

  it("from the time at which it was sent, also where the Date has a year of two digits", () => {
    const headers = new Headers({
      date: "Thursday, 01-Jan-76 00:00:00 GMT",
      "retry-after": "Thu, 01 Jan 1976 00:00:05 GMT",
    });

    expect(serverDelay(headers, Date.UTC(1976, 0, 2))).toBe(5_000);
  });

  it("not at all for a delay", () => {
    expect(delayOf({ date: LATE, "retry-after": "30", "x-ratelimit-reset": resets })).toBe(30_000);
  });
});

describe("a quota's reset", () => {
  const names = ["x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"];
  const REMAINDERS = ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"];

  it.each([
    ["a delay in seconds", "30", 30_000],
    ["a delay of no seconds", "0", 0],
    ["a delay with decimals", "0.5", 500],
    ["the longest delay", "999999999", 999_999_999_000],
    ["the first time in epoch seconds, long past", "1000000000", 0],
    ["a time in epoch seconds", String(NOW / 1_000 + 30), 30_000],
    ["a time in epoch seconds with decimals", `${NOW / 1_000 + 30}.5`, 30_500],
    ["a past time in epoch seconds", String(NOW / 1_000 - 30), 0],
    ["the last time in epoch seconds", "999999999999", 999_999_999_999_000 - NOW],
    ["the first time in epoch ms, long past", "1000000000000", 0],
    ["a time in epoch ms", String(NOW + 30_250), 30_250],
    ["a past time in epoch ms", String(NOW - 1), 0],
    ["a time beyond all counting", "9".repeat(400), Number.MAX_SAFE_INTEGER],
  ])("may be %s", (_, value, ms) => {
    expect(names.map((name) => delayOf({ [name]: value }))).toEqual([ms, ms, ms]);
  });

  it.each(["", "soon", "-30", "+30", "1e3", "30s", RESOLVED])("is not %j", (value) => {
    expect(delayOf({ "x-ratelimit-reset": value })).toBeUndefined();
  });

  it.each([200, 404, 500, 503])("is no hint with status %i", (status) => {
    const headers = { "x-ratelimit-reset": "30", "x-ratelimit-remaining": "0", ratelimit: '"default";r=0;t=30' };

    expect(delayOf(headers, status)).toBeUndefined();
  });

  it("is no hint where no status is given", () => {
    expect(serverDelay(new Headers({ "x-ratelimit-reset": "30" }), NOW)).toBeUndefined();
  });

  it("is no hint with status 403 alone", () => {
    expect(delayOf({ "x-ratelimit-reset": "30" }, 403)).toBeUndefined();
  });

  it.each(REMAINDERS)("is a hint with status 403 where %s is 0", (name) => {
    expect(delayOf({ "x-ratelimit-reset": "30", [name]: "0" }, 403)).toBe(30_000);
  });

  it.each(REMAINDERS.flatMap((name) => ["1", "10", "", "none", "-0", "0.5"].map((value) => [name, value])))(
    "is no hint with status 403 where %s is %j",
    (name, value) => {
      expect(delayOf({ "x-ratelimit-reset": "30", [name!]: value! }, 403)).toBeUndefined();
    },
  );

  it("is a hint with status 403 where a RateLimit says that nothing remains", () => {
    expect(delayOf({ "x-ratelimit-reset": "30", ratelimit: '"default";r=0' }, 403)).toBe(30_000);
  });

  it("is a hint with status 429 whatever remains", () => {
    expect(delayOf({ "x-ratelimit-reset": "30", "x-ratelimit-remaining": "7" })).toBe(30_000);
  });
});

describe("a RateLimit", () => {
  it.each([
    ["one item", '"default";r=0;t=30', 30],
    ["a space before each parameter", '"default"; r=0;  t=30', 30],
    ["its parameters the other way round", '"default";t=30;r=0', 30],
    ["parameters that we do not know", '"default";pk=:cGFydA==:;r=0;qu="requests";x;d=-1.5;b=?1;k=to/ken;t=30', 30],
    ["a token for its name", "default;r=0;t=30", 30],
    ["an escaped quote in its name", '"a\\"b\\\\";r=0;t=30', 30],
    ["what looks like parameters in its name", '"a;r=0;t=99,b";r=0;t=30', 30],
    ["what looks like parameters in a parameter", '"a";pk=";t=99;";r=0;t=30', 30],
    ["a parameter twice, of which the last counts", '"a";r=0;t=99;t=30', 30],
    ["several items, of which the longest wait counts", '"a";r=0;t=20,"b";r=0;t=30, "c";r=0;t=10', 30],
    ["items with something left, which do not count", '"a";r=1;t=99, "b";r=0;t=30\t ,\t "c";r=5;t=40', 30],
    ["something left in each item", '"a";r=1;t=20, "b";r=2;t=30, "c";r=3;t=10', 30],
    ["items of which only some know their time", '"a";r=0, "b";r=0;t=30, "c";r=0;t=soon', 30],
    ["an item that says nothing of what remains", '"a";t=30', 30],
    ["a time of 0", '"a";r=0;t=0', 0],
    ["the form of older drafts", "limit=100, remaining=0, reset=30", 30],
    ["the form of older drafts without spaces", "limit=100,remaining=5,reset=30", 30],
    ["the form of older drafts with parameters", "limit=100;w=60, remaining=0, reset=30;x=1", 30],
    ["a key of older drafts twice, of which the last counts", "reset=99, reset=30", 30],
  ])("may have %s", (_, ratelimit, seconds) => {
    expect(delayOf({ ratelimit })).toBe(seconds * 1_000);
  });

  it.each([
    ["nothing", ""],
    ["no time", '"default";r=0'],
    ["a time only where something is left", '"a";r=0, "b";r=1;t=30'],
    ["a time with decimals", '"default";r=0;t=1.5'],
    ["a negative time", '"default";r=0;t=-1'],
    ["a time in quotes", '"default";r=0;t="30"'],
    ["a time without a value", '"default";r=0;t'],
    ["a time that is no number", '"default";r=0;t=soon'],
    ["a number of more digits than there may be", '"default";r=0;t=1234567890123456'],
    ["a parameter in upper case", '"default";X=1;r=0;t=30'],
    ["a key of older drafts in upper case", "Limit=100, remaining=0, reset=30"],
    ["a name whose quote is not closed", '"default;r=0;t=30'],
    ["a name with a stray escape", '"de\\fault";r=0;t=30'],
    ["a name with a letter that is not ASCII", '"d\u00e9fault";r=0;t=30'],
    ["no name", ";r=0;t=30"],
    ["a space before a semicolon", '"a" ;r=0;t=30, "b";r=0;t=30'],
    ["a space around an equals sign", '"default";r = 0;t= 30'],
    ["a semicolon at the end", '"default";r=0;t=30;'],
    ["a comma at the end", '"default";r=0;t=30,'],
    ["a comma and a space at the end", '"default";r=0;t=30, '],
    ["two commas", '"a";r=0;t=30,,"b";r=0;t=30'],
    ["a comma at the beginning", ',"a";r=0;t=30'],
    ["no comma between items", '"a";r=0;t=30 "b";r=0;t=30'],
    ["a malformed item behind a good one", '"a";r=0;t=30, @'],
    ["a malformed item before a good one", '@, "a";r=0;t=30'],
    ["both forms at once", '"a";r=0;t=30, reset=30'],
    ["the form of older drafts without a reset", "limit=100, remaining=0"],
    ["the form of older drafts with a reset that is no number", "reset=soon"],
    ["the form of older drafts with a parameter for a reset", "limit=100;reset=30;t=30"],
  ])("is ignored where it has %s", (_, ratelimit) => {
    expect(delayOf({ ratelimit })).toBeUndefined();
  });

  it("is ignored where it is malformed, also for what remains", () => {
    expect(delayOf({ ratelimit: '"default";r=0;t=30, @', "x-ratelimit-reset": "30" }, 403)).toBeUndefined();
  });

  it.each(['"default";r=0;t=30', "limit=100, remaining=0, reset=30", '"a";r=5;t=99, "b";r=00;t=30'])(
    "is a hint with status 403 where it is %j",
    (ratelimit) => {
      expect(delayOf({ ratelimit }, 403)).toBe(30_000);
    },
  );

  it.each(['"default";r=1;t=30', '"default";t=30', '"default";r="0";t=30', "limit=0, remaining=1, reset=30"])(
    "is no hint with status 403 where it is %j",
    (ratelimit) => {
      expect(delayOf({ ratelimit }, 403)).toBeUndefined();
    },
  );

  it("is what the strings in a list say, whatever else is in it", () => {
    const headers = new Map([["ratelimit", [null, '"a";r=0;t=30']]]);

    expect(serverDelay(headers, NOW, 429)).toBe(30_000);
  });

  it("may stand on several lines, which are one list", () => {
    const headers = new Map([["ratelimit", ['"a";r=0;t=20', '"b";r=0;t=30']]]);

    expect(serverDelay(headers, NOW, 429)).toBe(30_000);
  });
});

describe("headers", () => {
  it("may be axios'", () => {
    expect(serverDelay(new AxiosHeaders({ "Retry-After": "5" }), NOW)).toBe(5_000);
  });

  it("may be a map of lower-case names", () => {
    expect(serverDelay(new Map([["retry-after", "5"]]), NOW)).toBe(5_000);
  });

  it("are asked as their own method", () => {
    const headers = {
      seconds: "5",
      get(name: string) {
        return name === "retry-after" ? this.seconds : null;
      },
    };

    expect(serverDelay(headers, NOW)).toBe(5_000);
  });

  it.each<[string, unknown, number | undefined]>([
    ["a number", 5, 5_000],
    ["a number with spaces around", " 5 ", 5_000],
    ["several, of which the first counts", ["2", "3"], 2_000],
    ["several, of which the first is unusable", ["soon", 3], 3_000],
    ["none in a list", [], undefined],
    ["several, none of them usable", ["soon", null, "-1"], undefined],
    ["null", null, undefined],
    ["a boolean", true, undefined],
    ["NaN", Number.NaN, undefined],
    ["a negative number", -5, undefined],
    ["Infinity", Infinity, undefined],
    ["an object", { toString: () => "5" }, undefined],
    ["a list in a list", [["5"]], undefined],
    ["a symbol", Symbol("5"), undefined],
    ["a bigint", 5n, undefined],
  ])("may hold %s", (_, value, ms) => {
    expect(serverDelay(new Map([["retry-after", value]]), NOW)).toBe(ms);
  });

  it.each([
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a plain object", { "retry-after": "5" }, "[object Object]"],
    ["a string", "retry-after: 5", '"retry-after: 5"'],
  ])("cannot be %s", (_, headers, shown) => {
    const ask = () => serverDelay(headers as never, NOW);

    expect(ask).toThrow(TypeError);
    expect(ask).toThrow(`serverDelay: headers must be a Headers, or an object with a method get, got ${shown}`);
  });

  it.each([
    ["now", Number.NaN, 429, RangeError],
    ["now", "0", 429, TypeError],
    ["status", NOW, Number.NaN, RangeError],
    ["status", NOW, "429", TypeError],
    ["status", NOW, null, TypeError],
  ])("cannot be judged where %s makes no sense (%s, %s)", (option, now, status, kind) => {
    const ask = () => serverDelay(new Headers(), now as number, status as number);

    expect(ask).toThrow(kind);
    expect(ask).toThrow(`serverDelay: ${option} must be a finite number`);
  });
});

describe("x-should-retry", () => {
  it.each([
    ["true", true],
    ["false", false],
    [" TRUE\t", true],
    ["False", false],
    ["", undefined],
    ["1", undefined],
    ["yes", undefined],
    ["true, false", undefined],
  ])("of %j says %s", (value, verdict) => {
    expect(serverVerdict(new Map([["x-should-retry", value]]))).toBe(verdict);
  });

  it("says nothing where it is missing", () => {
    expect(serverVerdict(new Headers())).toBeUndefined();
  });

  it("is read from the first value that says something", () => {
    expect(serverVerdict(new Map([["x-should-retry", ["perhaps", "false", "true"]]]))).toBe(false);
  });
});

describe("headers of vendors", () => {
  it.each([200, 429, 503])("X-RateLimit-Retry-After is seconds, whatever the status: %i", (status) => {
    expect(delayOf({ "x-ratelimit-retry-after": "1.5" }, status)).toBe(1_500);
  });

  it("X-RateLimit-Reset-After is seconds, and comes before the time of the reset", () => {
    const headers = { "x-ratelimit-reset-after": "0.75", "x-ratelimit-reset": `${NOW / 1_000 + 9}` };

    expect(delayOf(headers)).toBe(750);
    expect(delayOf(headers, 200)).toBeUndefined();
  });

  it.each([
    ["UTC", "2026-01-01T00:01:00Z", 60_000],
    ["a fraction of a second", "2026-01-01T00:00:00.250Z", 250],
    ["an offset", "2026-01-01T01:01:00+01:00", 60_000],
    ["a space", "2026-01-01 00:01:00Z", 60_000],
    ["what is past", "2025-12-31T23:59:00Z", 0],
    ["the last of a February", "2026-02-28T00:00:00Z", 58 * 86_400_000],
  ])("X-RateLimit-Reset may be a time of RFC 3339: %s", (_, value, ms) => {
    expect(delayOf({ "x-ratelimit-reset": value })).toBe(ms);
  });

  it.each([
    ["no offset", "2026-01-01T00:01:00"],
    ["a date alone", "2026-01-01"],
    ["a 31st of June", "2026-06-31T00:00:00Z"],
    ["hour 24", "2026-01-01T24:00:00Z"],
    ["an offset of 99 hours", "2026-01-01T00:00:00+99:00"],
    ["what only Date.parse reads", "January 1, 2026"],
  ])("X-RateLimit-Reset is unusable with %s", (_, value) => {
    expect(delayOf({ "x-ratelimit-reset": value })).toBeUndefined();
  });
});
