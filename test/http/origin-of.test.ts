import { originOf } from "undaunted/http";
import { expect, it, onTestFinished } from "vitest";

it.each([
  ["a string", "https://example.com/a?b#c", "https://example.com"],
  ["a URL", new URL("https://example.com/a"), "https://example.com"],
  ["a Request", new Request("https://example.com/a"), "https://example.com"],
  ["a port", "http://example.com:8080/", "http://example.com:8080"],
  ["the usual port", "https://example.com:443/", "https://example.com"],
  ["credentials", "https://me:secret@example.com/", "https://example.com"],
  ["capital letters", "HTTPS://EXAMPLE.com/", "https://example.com"],
  ["the settings of an axios request", { url: "/a", baseURL: "https://example.com/v1" }, "https://example.com"],
  ["settings with a URL alone", { url: "https://example.com/a" }, "https://example.com"],
  ["settings with a base alone", { baseURL: "https://example.com/v1" }, "https://example.com"],
  ["settings with a URL of its own", { url: "https://a.example/", baseURL: "https://b.example/" }, "https://a.example"],
])("originOf takes %s", (_, target, origin) => {
  expect(originOf(target)).toBe(origin);
});

it("originOf takes what has an href, as a link has", () => {
  const link = { href: "https://example.com/a", toString: () => "https://example.com/a" };

  expect(originOf(link as never)).toBe("https://example.com");
});

it.each(["/a", { url: "/a" }, { url: "a", baseURL: "/v1" }])(
  "originOf takes what is relative to a page: %j",
  (target) => {
    Object.assign(globalThis, { location: { href: "https://page.example/b/c" } });
    onTestFinished(() => {
      delete (globalThis as { location?: unknown }).location;
    });

    expect(originOf(target)).toBe("https://page.example");
  },
);

it.each(["/a", "", {}, { url: "/a" }])("originOf throws for what is no URL: %j", (target) => {
  expect(() => originOf(target)).toThrow(TypeError);
});
