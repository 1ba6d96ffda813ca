// React Native's own URL had little but `href` for long: what it has not, it throws for.

/** A URL's origin, also where the runtime's URL has none. */
export function originOfUrl(url: URL): string {
  return part(url, "origin", (scheme, host) => {
    const port = scheme === "http:" ? /:(80)?$/ : /:(443)?$/;
    return `${scheme}//${host.replace(port, "")}`.toLowerCase();
  });
}

/** A URL's path, also where the runtime's URL has none. */
export function pathOfUrl(url: URL): string {
  return part(url, "pathname", (_, __, path) => path || "/");
}

type Parts = (scheme: string, host: string, path: string) => string;

function part(url: URL, name: "origin" | "pathname", make: Parts): string {
  try {
    return url[name];
  } catch {
    const [, scheme = "", host = "", path = ""] = /^(\w+:)\/\/(?:[^/?#]*@)?([^/?#]*)([^?#]*)/.exec(url.href) ?? [];
    return make(scheme, host, path);
  }
}
