import { bounded } from "../common/inspect.js";

const URLS = /\b([a-z][a-z\d+.-]*:\/\/)([^\s"'<>`\\]*)/gi;
// So long a part of a path that has a digit in it is an id or a token, not a word.
const TOKEN = /^(?=[^/]*\d)[\w~.%=+-]{16,}$/;

/**
 * A text without what in its URLs may be secret: userinfo, query and fragment are left out, and so are parts of a path that look like a
 * token (16 characters or more, one of them a digit).
 *
 * @example
 * redact("GET https://ada:pw@example.com/v1/users?key=1 failed"); // => "GET https://example.com/v1/users?… failed"
 */
export function redact(text: string): string {
  return text.replace(URLS, (_, scheme: string, rest: string) => {
    const [address = ""] = rest.split(/[?#]/, 1);
    const [, authority = "", path = ""] = /^([^/]*)(.*)$/.exec(address)!;
    const host = authority.slice(authority.lastIndexOf("@") + 1);
    const parts = path.split("/").map((part) => (TOKEN.test(part) ? "…" : part));
    return `${scheme}${host}${parts.join("/")}${address.length < rest.length ? "?…" : ""}`;
  });
}

/** Anything as one line of a log: `hide` done, control characters as escapes, at most some 200 characters. */
export function oneLine(value: unknown, hide: (text: string) => string): string {
  let text: string;
  try {
    text = String(value);
  } catch {
    return "something that cannot be shown";
  }
  // Half a URL would not be known as one: what is cut off in the middle goes, and only then the rest.
  if (text.length > MOST_READ) text = text.slice(0, MOST_READ).replace(/\S*$/, "…");
  return bounded(hide(text).replace(CONTROL, escaped));
}

// No message is worth more work than that.
const MOST_READ = 2_000;

// C0, DEL, C1, the line and paragraph separators, and what turns the direction of writing.
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
