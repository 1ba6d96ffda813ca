import { readFileSync } from "node:fs";
import { Readable } from "node:stream";

import axios from "axios";
import axiosRetry from "axios-retry";
import fetchRetry from "fetch-retry";
import got from "got";
import ky from "ky";
import { waitNone } from "undaunted";
import { retryFetch } from "undaunted/http";
import * as undici from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { versionOf } from "../peers.js";
import {
  deadPort,
  resetBeforeHeaders,
  respond,
  type Script,
  type ScriptedServer,
  scriptedServer,
} from "./servers/index.js";

// The second table of docs/comparison.md says what these runs show: a row there is an experiment here, done with each client
// in turn on a real server, and a cell is what comes of it. Each has its defaults, but for shorter waits.

interface Request {
  readonly method?: string;
  readonly body?: string | (() => Readable);
}

type Client = (url: string, request: Request, quick: boolean) => Promise<unknown>;

const web = (body: Request["body"]) =>
  (typeof body === "function" ? Readable.toWeb(body()) : body) as BodyInit | undefined;
const node = (body: Request["body"]) => (typeof body === "function" ? body() : body);
const initOf = ({ method = "GET", body }: Request) => ({
  method,
  ...(body !== undefined && { body: web(body), duplex: "half" as const }),
});

const clients: Record<string, Client> = {
  undaunted: (url, request, quick) => retryFetch(quick ? { wait: waitNone } : {})(url, initOf(request) as RequestInit),
  [`ky ${versionOf("ky")}`]: (url, request, quick) =>
    ky(url, { ...initOf(request), ...(quick && { retry: { limit: 3, delay: () => 1 } }) } as object),
  [`got ${versionOf("got")}`]: async (url, { method = "GET", body }, quick) => {
    const retry = quick
      ? { calculateDelay: ({ computedValue }: { computedValue: number }) => Math.sign(computedValue) }
      : {};
    return got(url, { method: method as "GET", retry, ...(body !== undefined && { body: node(body) as string }) });
  },
  "fetch-retry 6": (url, request) =>
    fetchRetry(fetch)(url, { ...initOf(request), retries: 3, retryDelay: 1, retryOn: [429, 500, 503] } as RequestInit),
  [`RetryAgent ${versionOf("undici")}`]: (url, { method = "GET", body }, quick) => {
    const options = quick ? { maxRetries: 3, minTimeout: 1, maxTimeout: 1 } : {};
    const dispatcher = new undici.RetryAgent(new undici.Agent(), options);
    return undici.fetch(url, {
      ...(initOf({ method, ...(body !== undefined && { body }) }) as undici.RequestInit),
      dispatcher,
    });
  },
  "axios-retry 4.5": (url, { method = "GET", body }) => {
    const api = axios.create();
    axiosRetry(api, { retries: 3 });
    return api.request({ url, method, data: node(body) });
  },
};

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

async function serving(script: Script): Promise<ScriptedServer> {
  const server = await scriptedServer(script);
  opened.push(server);
  return server;
}

const quietly = (ended: Promise<unknown>) =>
  ended.then(
    (response) => (response as { status?: number; statusCode?: number }).status ?? "a response",
    () => "an error",
  );

const times = (count: number) => (count === 1 ? "once" : `${count} times`);

/** How often a request is sent to a server that always does the same. */
const sentTo =
  (step: Script, request: Request) =>
  async (client: Client): Promise<string> => {
    const server = await serving(step);
    await quietly(client(server.url("/"), request, true));
    return times(server.requests.length);
  };

const STILL_WAITING = 700;

const rows: Record<string, (client: Client) => Promise<string>> = {
  "a GET that is answered 503 is sent": sentTo(() => respond(503), {}),
  "a POST whose connection is reset is sent": sentTo(() => resetBeforeHeaders(), { method: "POST", body: "x" }),
  "a POST that a limiter refused, 429, is sent": sentTo(() => respond(429, { headers: { "retry-after": "0" } }), {
    method: "POST",
    body: "x",
  }),
  async "a POST that is redirected to where nobody listens is sent"(client) {
    const dead = await deadPort();
    opened.push(dead);
    return sentTo(() => respond(307, { headers: { location: dead.url("/") } }), { method: "POST", body: "x" })(client);
  },
  async "a PUT of a stream, answered 503: the bodies that came, and what the call ends in"(client) {
    const server = await serving([respond(503), respond(200)]);
    const ended = await quietly(client(server.url("/"), { method: "PUT", body: () => Readable.from(["text"]) }, true));
    return `${server.requests.map(({ body }) => (body.length > 0 ? "whole" : "empty")).join(", ")}: ${ended}`;
  },
  async "Retry-After: 3600"(client) {
    const server = await serving(() => respond(503, { headers: { "retry-after": "3600" } }));
    let timer: NodeJS.Timeout | undefined;
    const waits = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, STILL_WAITING, "waits");
    });
    const ended = await Promise.race([quietly(client(server.url("/"), {}, false)), waits]);
    clearTimeout(timer);
    if (ended === "waits") return "is waited for";
    return server.requests.length > 1 ? "is not heeded" : "ends the call at once";
  },
};

const page = readFileSync(new URL("../../docs/comparison.md", import.meta.url), "utf8");
const lines = page
  .slice(page.indexOf("## Of HTTP"))
  .split("\n")
  .filter((line) => line.startsWith("|"));
const cellsOf = (line: string) =>
  line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
const [header = [], , ...table] = lines.map(cellsOf);

describe.each(Object.entries(rows))("%s", (what, run) => {
  const said = table.find(([name]) => name === what) ?? [];

  it.each(Object.keys(clients))("with %s as docs/comparison.md says", async (name) => {
    expect(said[header.indexOf(name)]).toBe(await run(clients[name]!));
  });
});

it("docs/comparison.md has a row for each experiment, and a column for each client", () => {
  expect(table.map(([name]) => name)).toEqual(Object.keys(rows));
  expect(header.slice(1)).toEqual(expect.arrayContaining(Object.keys(clients)));
  // ky, got and RetryAgent twice: the newest that support Node 20, and the newest.
  expect(header.slice(1)).toHaveLength(Object.keys(clients).length + 3);
});
