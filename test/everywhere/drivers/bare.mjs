// A realm of its own that has what React Native's engine has, and no more: no process, crypto, MessageChannel,
// DOMException, streams or Atomics, a URL that has `href` and little else; abort-controller and whatwg-fetch.
// `node --experimental-vm-modules bare.mjs <project> <esm|cjs> <server> <refused> <run>`
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";

const [project, format, server, refused, run] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const dist = join(project, "node_modules/undaunted/dist");

/** What whatwg-fetch needs of an XMLHttpRequest, over Node's http. Its errors say as little as a phone's do. */
class XMLHttpRequest {
  status = 0;
  responseURL = "";
  response = "";
  #headers = {};
  #answered = {};
  #request;

  open(method, url) {
    this.#request = { method, url };
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  getAllResponseHeaders() {
    return Object.entries(this.#answered)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
  }

  send(body) {
    const { method, url } = this.#request;
    const sent = request(url, { method, headers: this.#headers, agent: false }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", () => this.onerror?.());
      response.on("end", () => {
        this.status = response.statusCode;
        this.statusText = response.statusMessage;
        this.#answered = response.headers;
        this.responseURL = url;
        this.response = Buffer.concat(chunks).toString();
        this.responseText = this.response;
        this.onload?.();
      });
    });
    this.abort = () => {
      sent.on("error", () => {}).destroy();
      this.onabort?.();
    };
    sent.on("error", () => this.onerror?.());
    sent.end(body ?? undefined);
  }
}

/** React Native's own, as it was for long: `href` and little else. */
class OldURL {
  #url;

  constructor(url, base) {
    if (typeof url !== "string") throw new TypeError("this URL is made of a string only");
    this.#url = new URL(url, base);
  }

  get href() {
    return this.#url.href;
  }

  toString() {
    return this.#url.href;
  }
}

for (const name of [
  "hash",
  "host",
  "hostname",
  "origin",
  "password",
  "pathname",
  "port",
  "protocol",
  "search",
  "username",
]) {
  const get = () => {
    throw new Error(`URL.${name} is not implemented`);
  };
  Object.defineProperty(OldURL.prototype, name, { get });
}

const context = vm.createContext({
  console,
  setTimeout: (fn, ms) => Number(setTimeout(fn, ms)),
  clearTimeout,
  queueMicrotask,
  performance: { now: () => performance.now() },
  XMLHttpRequest,
  URL: OldURL,
  URLSearchParams,
  TextEncoder,
});
vm.runInContext(
  `var self = globalThis;
   for (const name of ["Atomics", "SharedArrayBuffer", "FinalizationRegistry", "WebAssembly"]) delete globalThis[name];`,
  context,
);
const script = (path) => vm.runInContext(readFileSync(path, "utf8"), context, { filename: path });
script(require.resolve("abort-controller/dist/abort-controller.umd.js"));
vm.runInContext("({ AbortController, AbortSignal } = AbortControllerShim);", context);
script(require.resolve("whatwg-fetch/dist/fetch.umd.js"));

const modules = new Map();

function link(specifier, referrer) {
  const path = join(dirname(referrer.identifier), specifier);
  if (!modules.has(path)) modules.set(path, moduleOf(path, readFileSync(path, "utf8")));
  return modules.get(path);
}

function moduleOf(identifier, text) {
  return new vm.SourceTextModule(text, { context, identifier });
}

async function imported(path) {
  const module = link(path, { identifier: join(project, "x") });
  await module.link(link);
  await module.evaluate();
  return module.namespace;
}

const loaded = new Map();

function required(path) {
  if (!loaded.has(path)) {
    const module = { exports: {} };
    loaded.set(path, module);
    const wrapper = vm.runInContext(`(function (module, exports, require) {${readFileSync(path, "utf8")}\n})`, context);
    wrapper(module, module.exports, (specifier) => required(join(dirname(path), specifier)));
  }
  return loaded.get(path).exports;
}

const entry = (name) =>
  format === "esm" ? imported(`node_modules/undaunted/dist/${name}.js`) : required(join(dist, `${name}.cjs`));
const { runChecks } = await imported("suite/checks.mjs");
const found = await runChecks({
  core: await entry("index"),
  http: await entry("http"),
  idempotency: await entry("idempotency"),
  serverSide: await entry("server"),
  testing: await entry("testing"),
  transient: await entry("transient"),
  decorated: {
    legacy: (await imported("suite/decorated.legacy.mjs")).default,
    standard: (await imported("suite/decorated.standard.mjs")).default,
  },
  fetch: context.fetch,
  server,
  refused,
  run,
});
console.log(JSON.stringify(found));
