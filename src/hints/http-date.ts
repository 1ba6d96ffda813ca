const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Leap seconds are added where a UTC day ends and nowhere else.
const TIME = "(?<time>(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d|23:59:60)";

/** The three forms of RFC 9110, 5.6.7: IMF-fixdate, RFC 850, asctime. Case and spaces are exact there. */
const FORMS: readonly RegExp[] = /* @__PURE__ */ (() => [
  new RegExp(`^(?<weekday>[A-Z][a-z]{2}), (?<day>\\d\\d) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^(?<weekday>[A-Z][a-z]+day), (?<day>\\d\\d)-(?<month>[A-Z][a-z]{2})-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^(?<weekday>[A-Z][a-z]{2}) (?<month>[A-Z][a-z]{2}) (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`),
])();

/**
 * The epoch ms of an HTTP-date in one of the three forms of RFC 9110, 5.6.7, or `undefined`: also for a day that the
 * calendar does not have, or whose weekday is another. A year of two digits is read as at `now` (epoch ms).
 */
export function parseHttpDate(value: string, now: number = Date.now()): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(value)?.groups;
    if (parts) return epochOf(parts, now);
  }
  return undefined;
}

function epochOf(parts: Record<string, string>, now: number): number | undefined {
  const month = MONTHS.indexOf(parts.month!);
  const [hours, minutes, seconds] = parts.time!.split(":").map(Number) as [number, number, number];
  const time = ((hours * 60 + minutes) * 60 + seconds) * 1_000;
  // Not Date.UTC, which takes the years from 0 to 99 for those from 1900.
  const midnight = (year: number) => new Date(0).setUTCFullYear(year, month, Number(parts.day));

  const { year, horizon } =
    parts.year!.length === 2 ? withCentury(parts.year!, now) : { year: Number(parts.year), horizon: Infinity };
  const start = midnight(year) + time > horizon ? midnight(year - 100) : midnight(year);
  const date = new Date(start);
  // A day that the month does not have lies in another month.
  const isReal = date.getUTCMonth() === month && WEEKDAYS[date.getUTCDay()]!.startsWith(parts.weekday!);
  return isReal ? start + time : undefined;
}

/**
 * The latest year with these last two digits up to the one 50 years from `now`, and the time in 50 years. RFC 9110,
 * 5.6.7: what appears to lie beyond that time lies in the past.
 */
function withCentury(digits: string, now: number): { year: number; horizon: number } {
  const latest = new Date(now).getUTCFullYear() + 50;
  return { year: latest - ((latest - Number(digits)) % 100), horizon: new Date(now).setUTCFullYear(latest) };
}
