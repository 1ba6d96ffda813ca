import { originOf } from "undaunted/http";
import { describe, expect, it } from "vitest";
import { originOfUrl, pathOfUrl } from "../../src/http/url-parts.js";

/** A URL as React Native had it for long. */
function bare(href: string): URL {
  const missing = (): never => {
    throw new Error("not implemented");
  };
  return Object.defineProperties({ href }, { origin: { get: missing }, pathname: { get: missing } }) as never;
}

describe("a URL that has only href", () => {
  it.each([
    "https://example.com/users?page=2",
    "https://example.com",
    "http://127.0.0.1:8080/a/b#c",
    "https://user:secret@example.com:8443/a@b",
    "http://[::1]:80/",
    "https://example.com:443?x=/y",
    "http://example.com:443/",
    "https://example.com:80/",
    "HTTPS://Example.COM/Users",
  ])("has the origin and the path that a whole one has: %s", (href) => {
    const whole = new URL(href);

    expect([originOfUrl(bare(href)), pathOfUrl(bare(href))]).toEqual([whole.origin, whole.pathname]);
  });
});

it("a URL object is read by its href, as a runtime may make URLs of strings only", () => {
  expect(originOf(new URL("https://example.com/users"))).toBe("https://example.com");
});
