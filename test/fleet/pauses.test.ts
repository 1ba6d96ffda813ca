import { createHash } from "node:crypto";
import axios, { type InternalAxiosRequestConfig } from "axios";
import { retryAxios } from "undaunted/axios";
import { type RetryFetchOptions, retryFetch } from "undaunted/http";
import { describe, expect, it } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.js";
import type { FleetOptions, FleetPauses, LimitedRequest } from "../../src/fleet/options.js";
import type { PauseRequest } from "../../src/fleet/protocol.js";
import { fleetOfProcesses, never } from "./processes.js";

const URL_OF = "https://api.example/";
const byTenant = ({ url, headers }: LimitedRequest) => `${url.origin} ${headers.get("x-tenant")}`;
const of = (tenant: string) => ({ headers: { "x-tenant": tenant } });
const REQUEST = { method: "GET", url: new URL(URL_OF), headers: new Headers({ "x-tenant": "a" }) };
const REQUEST_OF_B = { ...REQUEST, headers: new Headers({ "x-tenant": "b" }) };
const busy = (seconds: number) => new Response(null, { status: 429, headers: { "retry-after": `${seconds}` } });
const ok = () => new Response(null, { status: 200 });

interface Seen {
  readonly process: number;
  readonly tenant: string | null;
  readonly ms: number;
}

interface Process {
  readonly fleet: Fleet;
  readonly pauses: FleetPauses;
  readonly api: typeof fetch;
}

/** Processes of a fleet, and a server that they call; `answer` is what it says to a request, 200 by default. */
function calling(size: number, options: RetryFetchOptions = {}, fleetOptions: Partial<FleetOptions> = {}) {
  const all = fleetOfProcesses();
  const { clock } = all;
  const seen: Seen[] = [];
  const server = { answer: (_: Seen): Response | Promise<Response> => ok() };
  const processes: Process[] = [];
  const join = (more: RetryFetchOptions = {}, its: Partial<FleetOptions> = {}): Process => {
    const process = processes.length;
    const fleet = all.join({ ...fleetOptions, ...its });
    const pauses = fleet.pauses({ key: byTenant });
    const fetch = async (_: unknown, init: RequestInit = {}) => {
      const request = { process, tenant: new Headers(init.headers).get("x-tenant"), ms: clock.now() };
      seen.push(request);
      return server.answer(request);
    };
    const settings = { fetch: fetch as typeof globalThis.fetch, clock, random: () => 0, statuses: [] };
    const api = retryFetch({ ...settings, pauseOrigin: pauses, ...options, ...more });
    const made = { fleet, pauses, api };
    processes.push(made);
    return made;
  };
  for (let n = 0; n < size; n++) join();
  const ready = () => Promise.all(processes.map(({ fleet }) => fleet.ready()));
  const asked = () => all.way.requests.flatMap((request) => (request as PauseRequest).asked);
  const epoch = () => (all.way.requests.at(-1) as PauseRequest).epoch;
  /** One process is told to come back later; the others hear of it. */
  const pause = async (seconds = 30, tenant = "a", process = 0) => {
    server.answer = () => busy(seconds);
    await processes[process]!.api(URL_OF, of(tenant));
    server.answer = () => ok();
    await all.pass(0);
  };
  return { ...all, join, processes, seen, server, ready, pause, asked, epoch };
}

const times = (seen: readonly Seen[]) => seen.map(({ ms }) => ms);

describe("the pauses of a fleet", () => {
  it("hold back the calls of all processes until the time that one of them was told", async () => {
    const { processes, ready, pause, pass, seen } = calling(3);
    await ready();
    await pause(30);

    await pass(1_000);
    for (const { api } of processes) api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen)).toEqual([0, 30_000, 30_000, 30_000]);
  });

  it("are spread over half of the time again, by each process for itself", async () => {
    const draws = [0, 0.5, 0.999];
    const { processes, ready, pause, pass, seen, join } = calling(1);
    for (const draw of draws) join({ random: () => draw });
    await ready();
    await pause(30);

    for (const { api } of processes.slice(1)) api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen.slice(1))).toEqual([30_000, 37_500, 44_985]);
  });

  it("let calls of another key through", async () => {
    const { processes, ready, pause, pass, seen } = calling(2);
    await ready();
    await pause(30, "a");

    processes[1]!.api(URL_OF, of("b"));
    processes[0]!.api(URL_OF, of("b"));
    await pass(0);

    expect(seen.slice(1)).toEqual([
      { process: 1, tenant: "b", ms: 0 },
      { process: 0, tenant: "b", ms: 0 },
    ]);
  });

  it("hold back a process that joins later, from its first call on", async () => {
    const { processes, ready, pause, pass, seen, join } = calling(1);
    await ready();
    await pause(30);
    await pass(10_000);

    join().api(URL_OF, of("a"));
    const { fleet, api } = join();
    await fleet.ready();
    api(URL_OF, of("a"));
    await pass(60_000);

    expect(processes).toHaveLength(3);
    expect(times(seen)).toEqual([0, 30_000, 30_000]);
  });

  it("are looked at less often where the fleet is large", async () => {
    const { processes, ready, pass, way } = calling(1);
    const { carry } = way;
    way.carry = async (reply) => ({ ...(await carry(reply)), stretch: 3 });
    await ready();

    for (let second = 0; second < 60; second++) {
      await processes[0]!.api(URL_OF, of("a"));
      await pass(1_000);
    }

    // Every 15 s, a quarter more or less.
    expect(way.requests.length - 1).toBeGreaterThanOrEqual(3);
    expect(way.requests.length - 1).toBeLessThanOrEqual(5);
  });

  it("are looked at every 5 s or so where nothing is pushed", async () => {
    const { processes, ready, pause, pass, seen, way } = calling(2);
    way.pushes = false;
    await ready();
    await pause(60);
    const { api } = processes[1]!;

    for (let second = 0; second < 12; second++) {
      api(URL_OF, of("a"));
      await pass(1_000);
    }

    const went = times(seen).filter((ms) => ms > 0 && ms < 60_000);
    expect(went.length).toBeGreaterThanOrEqual(3);
    expect(went.length).toBeLessThanOrEqual(7);
  });

  it("are asked for by a call, with askAfter, where they were not heard of for so long", async () => {
    const { processes, ready, pause, pass, seen, way } = calling(2, {}, { askAfter: 1_000 });
    way.pushes = false;
    await ready();
    await pass(2_000);
    await pause(30);
    const before = way.requests.length;

    for (let call = 0; call < 5; call++) processes[1]!.api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen).filter((ms) => ms < 32_000)).toEqual([2_000]);
    // One exchange for all five; each asks again when the pause is over.
    expect(way.requests.length - before).toBe(2);
  });

  it("let a call through at once while the store hangs", async () => {
    const { processes, ready, pass, seen, way } = calling(1);
    await ready();
    await pass(20_000);
    way.carry = never;

    for (let call = 0; call < 20; call++) {
      const { api } = processes[0]!;
      api(URL_OF, of("a"));
      await pass(0);
      expect(seen.at(-1)?.ms).toBe(20_000 + call * 100);
      await pass(100);
    }

    expect(seen).toHaveLength(20);
  });

  it("let the first call of a process wait for the store for 50 ms at most, and no other", async () => {
    const { processes, pass, seen, way } = calling(1);
    way.carry = never;
    const { api } = processes[0]!;

    api(URL_OF, of("a"));
    await pass(60);
    api(URL_OF, of("b"));
    await pass(0);

    expect(times(seen)).toEqual([50, 60]);
  });

  it("become longer for all where one is told a longer time, and not shorter", async () => {
    const { processes, ready, pause, pass, seen } = calling(3);
    await ready();
    await pause(10, "a", 0);
    // Another process had a request under way.
    processes[1]!.pauses.pauseOf(REQUEST).pause(20_000);
    await pass(0);
    processes[2]!.pauses.pauseOf(REQUEST).pause(2_000);
    await pass(1_000);

    for (const { api } of processes) api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen)).toEqual([0, 20_000, 20_000, 20_000]);
  });

  it("tell the store once of what many calls are told at the same time", async () => {
    const { processes, ready, pass, server, asked, way, join } = calling(4);
    await ready();
    server.answer = () => busy(30);

    for (let call = 0; call < 50; call++) for (const { api } of processes) api(URL_OF, of("a"));
    await pass(2_000);

    // Each process, since none of them had heard of the others'.
    expect(asked()).toHaveLength(4);
    expect(way.requests).toHaveLength(8);
    // What was under way meanwhile is told nothing that they do not know.
    await join().fleet.ready();
    for (const { pauses } of processes) pauses.pauseOf(REQUEST).pause(28_500);
    await pass(2_000);
    expect(asked()).toHaveLength(4);
  });

  it("are told again where they became longer, by more than Retry-After is exact to", async () => {
    const { ready, pass, asked, processes, seen } = calling(2);
    await ready();
    const told: number[] = [];
    for (const until of [30_000, 30_999, 31_000, 31_001, 40_000, 35_000]) {
      processes[0]!.pauses.pauseOf(REQUEST).pause(until - told.length * 200);
      await pass(200);
      told.push(asked().length);
    }

    for (const { api } of processes) api(URL_OF, REQUEST);
    await pass(60_000);

    expect(told).toEqual([1, 1, 1, 2, 3, 3]);
    expect(times(seen)).toEqual([40_000, 40_000]);
  });

  it("are told together, and no more often than every 100 ms, where there are many keys", async () => {
    const { processes, ready, pass, server, asked, way } = calling(1);
    await ready();
    server.answer = () => busy(30);
    const before = way.requests.length;

    for (let tenant = 0; tenant < 450; tenant++) processes[0]!.api(URL_OF, of(`${tenant}`));
    await pass(1_000);

    expect(new Set(asked().map(({ key }) => key)).size).toBe(450);
    // One, then as many hundreds as there are.
    expect(way.requests.length - before).toBe(6);
  });

  it("are of the 1,000 keys that were paused last, and forget the oldest", async () => {
    const { processes, ready, pass, server, seen, join } = calling(2);
    await ready();
    server.answer = () => busy(30);
    const [first, second] = processes;
    for (let tenant = 0; tenant < 1_001; tenant++) {
      first!.api(URL_OF, of(`${tenant}`));
      if (tenant % 50 === 0) await pass(100);
    }
    await pass(2_000);
    const before = seen.length;
    server.answer = () => ok();

    for (const tenant of ["0", "1", "500", "1000"]) second!.api(URL_OF, of(tenant));
    await pass(0);

    expect(seen.slice(before).map(({ tenant }) => tenant)).toEqual(["0"]);
    // One that hears of all of them at once forgets as those that heard of one after the other.
    const third = join();
    await third.fleet.ready();
    third.pauses.pauseOf({ ...REQUEST, headers: new Headers({ "x-tenant": "one more" }) }).pause(30_000);
    third.api(URL_OF, of("1"));
    third.api(URL_OF, of("1000"));
    await pass(0);
    expect(seen.slice(before).map(({ tenant }) => tenant)).toEqual(["0", "1"]);
  });

  it("forget what is over before what is not", async () => {
    const { processes, ready, pass, server, seen } = calling(1);
    await ready();
    const [{ api }] = processes as [Process];
    server.answer = () => busy(50);
    await api(URL_OF, of("long"));
    server.answer = () => busy(1);
    for (let tenant = 0; tenant < 999; tenant++) await api(URL_OF, of(`short ${tenant}`));
    await pass(2_000);
    await api(URL_OF, of("one more"));
    server.answer = () => ok();
    const before = seen.length;

    api(URL_OF, of("long"));
    await pass(0);

    expect(seen.length).toBe(before);
  });
});

describe("a shared pause and maxRetryAfter", () => {
  it("holds back nobody whose maxRetryAfter is less than what is left of it", async () => {
    const { ready, pause, pass, seen, join } = calling(1);
    const { api } = join({ maxRetryAfter: 10_000 });
    await ready();
    await pause(30);

    api(URL_OF, of("a"));
    await pass(19_999);
    api(URL_OF, of("a"));
    await pass(1);
    api(URL_OF, of("a"));
    await pass(20_000);

    expect(times(seen)).toEqual([0, 0, 19_999, 30_000]);
  });

  it("is spread over no more than half of it", async () => {
    const { ready, pause, pass, seen, join } = calling(1);
    const { api } = join({ maxRetryAfter: 10_000, random: () => 1 });
    await ready();
    await pause(30);
    await pass(25_000);

    api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen)).toEqual([0, 35_000]);
  });

  it("is not made of a time that is longer", async () => {
    const { ready, pause, pass, seen, asked, processes } = calling(2);
    await ready();
    await pause(61);

    for (const { api } of processes) api(URL_OF, of("a"));
    await pass(0);

    expect(asked()).toEqual([]);
    expect(times(seen)).toEqual([0, 0, 0]);
  });

  it.each([
    [1e15, 1e15],
    [Infinity, Infinity],
    [-1, 1e15],
  ])("holds back nobody where a stranger wrote one of %d ms", async (remaining, length) => {
    const { processes, ready, pass, seen, listeners, asked, pause, epoch } = calling(1);
    await ready();
    await pause(1);
    const [{ key } = { key: "" }] = asked();
    await pass(2_000);
    for (const listener of listeners) listener({ kind: "pause", epoch: epoch(), pauses: [{ key, remaining, length }] });

    processes[0]!.api(URL_OF, of("a"));
    await pass(0);

    expect(times(seen)).toEqual([0, 2_000]);
  });

  it("lasts a day at most where a stranger wrote a longer one, and maxRetryAfter is Infinity", async () => {
    const { processes, ready, pass, seen, listeners, asked, pause, epoch } = calling(1, { maxRetryAfter: Infinity });
    await ready();
    await pause(1);
    const [{ key } = { key: "" }] = asked();
    for (const listener of listeners)
      listener({ kind: "pause", epoch: epoch(), pauses: [{ key, remaining: 1e15, length: 1e15 }] });

    processes[0]!.api(URL_OF, of("a"));
    await pass(86_400_000);

    expect(times(seen)).toEqual([0, 86_400_000]);
  });

  it("is kept by the store for a day at most", async () => {
    const { ready, pause, asked } = calling(1, { maxRetryAfter: Infinity });
    await ready();

    await pause(1e9);

    expect(asked().map(({ ms }) => ms)).toEqual([86_400_000]);
  });
});

describe("pauses of a fleet whose store fails", () => {
  it("are this process's own while it is lost, and told with what is left of them when it is back", async () => {
    const { processes, ready, pass, server, seen, way, asked } = calling(2);
    await ready();
    const { carry } = way;
    way.carry = () => Promise.reject(new Error("down"));
    server.answer = ({ ms }) => (ms === 0 ? busy(30) : ok());
    await processes[0]!.api(URL_OF, of("a"));
    await pass(1_000);
    expect(processes[0]!.pauses.stats.fleet.connected).toBe(false);

    processes[0]!.api(URL_OF, of("a"));
    await pass(9_000);
    way.carry = carry;
    processes[0]!.api(URL_OF, of("b"));
    await pass(0);
    processes[1]!.api(URL_OF, of("a"));
    await pass(60_000);

    expect(asked().map(({ ms }) => ms)).toEqual([20_000]);
    expect(seen.map(({ tenant, ms }) => [tenant, ms])).toEqual([
      ["a", 0],
      ["b", 10_000],
      ["a", 30_000],
      ["a", 30_000],
    ]);
  });

  it("make no call wait with askAfter while it is lost, and are asked for less and less often", async () => {
    const { processes, ready, pass, seen, way } = calling(1, {}, { askAfter: 0 });
    await ready();
    await pass(1);
    let exchanges = 0;
    way.carry = () => {
      exchanges++;
      return Promise.reject(new Error("down"));
    };
    await processes[0]!.api(URL_OF, of("a"));
    expect(seen).toHaveLength(1);
    expect(exchanges).toBe(2);
    for (let ms = 1_000; ms < 30_000; ms += 1_000) processes[0]!.pauses.pauseOf(REQUEST_OF_B).pause(ms);
    await pass(0);
    expect(exchanges).toBe(2);
    exchanges = 0;

    for (let call = 0; call < 600; call++) {
      const before = seen.length;
      processes[0]!.api(URL_OF, of("a"));
      await pass(0);
      expect(seen.length).toBe(before + 1);
      await pass(100);
    }

    // After half a second, then up to five seconds, a quarter more or less: some 15 in a minute.
    expect(exchanges).toBeGreaterThan(8);
    expect(exchanges).toBeLessThan(25);
  });

  it("are not told when it is back where they are over by then", async () => {
    const { processes, ready, pass, server, way, asked } = calling(1);
    await ready();
    const { carry } = way;
    way.carry = () => Promise.reject(new Error("down"));
    server.answer = () => busy(5);
    await processes[0]!.api(URL_OF, of("a"));
    await pass(5_000);
    way.carry = carry;
    server.answer = () => ok();

    await processes[0]!.api(URL_OF, of("a"));
    await pass(10_000);

    expect(asked()).toEqual([]);
    expect(processes[0]!.pauses.stats.fleet.connected).toBe(true);
  });

  it("are told again where the store did not reply", async () => {
    const { processes, ready, pause, pass, way, asked, seen } = calling(2);
    await ready();
    const { carry } = way;
    let losses = 1;
    way.carry = (reply) => (losses-- > 0 ? Promise.reject(new Error("lost")) : carry(reply));

    await pause(30);
    processes[1]!.api(URL_OF, of("a"));
    await pass(60_000);

    expect(asked()).toHaveLength(1);
    expect(times(seen)).toEqual([0, 30_000]);
  });

  it("are told once the store was heard for the first time", async () => {
    const { processes, server, pass, way, clock } = calling(1);
    const { carry } = way;
    way.carry = async (reply) => {
      await new Promise<void>((resolve) => clock.setTimer(resolve, 100));
      return carry(reply);
    };
    server.answer = () => busy(30);

    processes[0]!.api(URL_OF, of("a"));
    await pass(5_000);

    const told = (way.requests as PauseRequest[]).map(({ tick, asked }) => [tick > 0, asked.length]);
    expect(told).toEqual([
      [false, 0],
      [false, 0],
      [true, 1],
    ]);
  });

  it.each([3_600_000, -500_000])("are told again where the process slept, or a clock was set, by %i ms", async (ms) => {
    const { processes, ready, pause, pass, way, seen } = calling(2);
    await ready();
    await pass(1_000);
    way.ahead = ms;

    await pause(30);
    await pass(1_000);
    processes[1]!.api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen)).toEqual([1_000, 31_000]);
    expect(way.requests).toHaveLength(5);
  });

  it("say so by onStoreLost and onStoreBack", async () => {
    const said: unknown[] = [];
    const { processes, ready, pass, way } = calling(
      1,
      {},
      { onStoreLost: ({ key }) => said.push(key), onStoreBack: () => said.push("back") },
    );
    await ready();
    await pass(10_000);
    const { carry } = way;
    way.carry = () => Promise.reject(new Error("down"));
    await processes[0]!.api(URL_OF, of("a"));
    await pass(10_000);
    way.carry = carry;

    await processes[0]!.api(URL_OF, of("a"));
    await pass(0);

    expect(said).toEqual(["pauses", "back"]);
  });

  it("go on in the processes where the store has lost its memory", async () => {
    const { processes, ready, pause, pass, seen, wipe } = calling(2);
    await ready();
    await pause(30);
    wipe();

    await pass(10_000);
    for (const { api } of processes) api(URL_OF, of("a"));
    await pass(60_000);

    expect(times(seen)).toEqual([0, 30_000, 30_000]);
  });
});

describe("pauses after fleet.close()", () => {
  it("are this process's own, and leave no timer and no listener", async () => {
    const { processes, ready, pause, pass, seen, server, way, clock, listeners } = calling(2);
    await ready();
    await pause(30);
    const [{ api, fleet }, other] = processes as [Process, Process];

    await fleet.close();
    const before = way.requests.length;
    api(URL_OF, of("a"));
    await pass(30_000);
    server.answer = ({ process }) => (process === 0 ? busy(10) : ok());
    await api(URL_OF, of("a"));
    server.answer = () => ok();
    other.api(URL_OF, of("a"));
    api(URL_OF, of("a"));
    await pass(60_000);
    await other.fleet.close();

    expect(seen.map(({ process, ms }) => [process, ms])).toEqual([
      [0, 0],
      [0, 30_000],
      [0, 30_000],
      [1, 30_000],
      [0, 40_000],
    ]);
    expect(way.requests.slice(before).filter(({ reporter }) => reporter === way.requests[0]!.reporter)).toEqual([]);
    expect([clock.pending, listeners.size]).toEqual([0, 0]);
    expect(() => fleet.pauses({ key: byTenant })).toThrow(new TypeError("fleet.pauses: the fleet is closed"));
  });

  it("set no timer when they are told more", async () => {
    const { processes, ready, clock } = calling(1);
    await ready();
    const [{ fleet, pauses }] = processes as [Process];
    pauses.pauseOf(REQUEST).pause(1_000);
    await fleet.close();

    pauses.pauseOf(REQUEST).pause(10_000);
    await fleet.close();

    expect(clock.pending).toBe(0);
    expect(pauses.pauseOf(REQUEST).left()).toEqual({ left: 10_000, length: 10_000 });
  });

  it("hold back no call that asked the store just then", async () => {
    const { processes, pass, seen, way, clock } = calling(1);
    way.carry = never;
    const [{ api, fleet }] = processes as [Process];
    api(URL_OF, of("a"));
    await pass(10);

    await fleet.close();
    await pass(0);

    expect(times(seen)).toEqual([10]);
    expect(clock.pending).toBe(0);
  });

  it("leave no timer of a call that was aborted while it asked", async () => {
    const { processes, ready, pause, pass, seen, way, clock, join } = calling(1);
    await ready();
    await pause(30);
    const { api, fleet } = join();
    const { carry } = way;
    let reply = () => {};
    way.carry = (made) => new Promise((resolve) => (reply = () => resolve(carry(made))));
    const caller = new AbortController();
    const call = api(URL_OF, { ...of("a"), signal: caller.signal });
    await pass(10);

    caller.abort("the user left");
    await expect(call).rejects.toBe("the user left");
    reply();
    await pass(0);
    await fleet.close();
    await processes[0]!.fleet.close();

    expect(clock.pending).toBe(0);
    expect(times(seen)).toEqual([0]);
  });
});

describe("the key of a pause", () => {
  it("leaves the process as a hash only, another in each fleet", async () => {
    const secret = "Bearer sk-live-1234";
    const { processes, ready, pause, way, asked, join, server, listeners } = calling(1);
    const news: unknown[] = [];
    await ready();
    listeners.add((each) => news.push(each));
    await pause(30, secret);
    const other = join({}, { name: "other" });
    await other.fleet.ready();
    server.answer = () => busy(30);
    await other.api(URL_OF, of(secret));

    const hash = (name: string) => createHash("sha256").update(`${name} https://api.example ${secret}`).digest("hex");
    expect(asked().map(({ key }) => key)).toEqual([hash("test"), hash("other")]);
    expect(JSON.stringify([way.requests, news])).not.toContain("sk-live");
    expect(processes).toHaveLength(2);
  });

  it("is asked for once for each call, about the request as its caller made it", async () => {
    const { clock, join } = fleetOfProcesses();
    const asked: unknown[] = [];
    const fetch = async () => (asked.length < 2 ? new Response(null, { status: 500 }) : ok());
    const api = retryFetch({
      fetch,
      clock,
      prepare: ({ headers }) => headers.set("x-tenant", "b"),
      pauseOrigin: join().pauses({
        key: ({ method, url, headers, init }) => {
          asked.push([method, url.href, headers.get("x-tenant"), (init as { body?: unknown }).body]);
          return "key";
        },
      }),
    });

    const call = api(URL_OF, { method: "put", body: "text", ...of("a") });
    await clock.runAll();
    await call;

    expect(asked).toEqual([["PUT", URL_OF, "a", "text"]]);
  });

  it.each([
    ["", '""'],
    [1, "1"],
    [undefined, "undefined"],
    [null, "null"],
    [{}, "[object Object]"],
  ])("is refused where it is %j, and nothing is sent", async (returned, shown) => {
    const { join } = fleetOfProcesses();
    let requests = 0;
    const fetch = async () => {
      requests++;
      return ok();
    };
    const api = retryFetch({ fetch, pauseOrigin: join().pauses({ key: () => returned as string }) });

    await expect(api(URL_OF)).rejects.toThrow(
      new TypeError(`fleet.pauses: what key returns must be a string that is not empty, got ${shown}`),
    );
    expect([requests, api.stats.failures]).toEqual([0, 1]);
  });

  it("is refused where it is a promise, whose rejection is handled", async () => {
    const { join } = fleetOfProcesses();
    const key = (() => Promise.reject(new Error("late"))) as unknown as () => string;
    const api = retryFetch({ fetch: async () => ok(), pauseOrigin: join().pauses({ key }) });

    await expect(api(URL_OF)).rejects.toThrow(
      new TypeError("fleet.pauses: key must be synchronous; it returned a promise"),
    );
  });

  it("fails the call with what its function throws", async () => {
    const { join } = fleetOfProcesses();
    const error = new Error("no tenant");
    const key = () => {
      throw error;
    };
    const api = retryFetch({ fetch: async () => ok(), pauseOrigin: join().pauses({ key }) });

    await expect(api(URL_OF)).rejects.toBe(error);
  });

  it.each([
    [{}, "fleet.pauses: key must be a function, got undefined"],
    [{ key: "tenant" }, 'fleet.pauses: key must be a function, got "tenant"'],
    [{ key: () => "a", max: 1 }, 'fleet.pauses: there is no option "max"; allowed are key'],
    [undefined, "fleet.pauses: options must be an object, got undefined"],
  ])("is needed: %j", (options, message) => {
    const { join } = fleetOfProcesses();

    expect(() => join().pauses(options as never)).toThrow(message);
  });
});

describe("clients with the same pauses", () => {
  it("pause together, of fetch and of axios", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const sent: [string, number][] = [];
    const fleet = join();
    const pauses = fleet.pauses({ key: ({ url }) => url.origin });
    const fetch = async () => {
      sent.push(["fetch", clock.now()]);
      return sent.length === 1 ? busy(10) : ok();
    };
    const adapter = async (config: InternalAxiosRequestConfig) => {
      sent.push(["axios", clock.now()]);
      return { status: 200, statusText: "", data: "", headers: {}, config };
    };
    const client = axios.create({ adapter });
    retryAxios(client, { clock, random: () => 0, pauseOrigin: pauses });
    const api = retryFetch({ fetch, clock, random: () => 0, statuses: [], pauseOrigin: pauses });

    await api(URL_OF);
    client.get(`${URL_OF}other`);
    api(URL_OF);
    await pass(60_000);

    expect(sent).toEqual([
      ["fetch", 0],
      ["axios", 10_000],
      ["fetch", 10_000],
    ]);
  });

  it("are told what axios' request is, by its config", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const keys: string[] = [];
    const client = axios.create({
      adapter: async (config) => ({ status: 200, statusText: "", data: "", headers: {}, config }),
    });
    retryAxios(client, {
      clock,
      pauseOrigin: join().pauses({
        key: ({ config, url, headers }) => {
          keys.push(`${config.auth?.username} ${url.href} ${headers.get("x-tenant")}`);
          return "key";
        },
      }),
    });

    const call = client.get(URL_OF, { auth: { username: "me", password: "" }, ...of("a") });
    await pass(60);
    await call;

    expect(keys).toEqual([`me ${URL_OF} a`]);
  });

  it("pause together by two pauses of one fleet that have equal keys, and not by those of two fleets", async () => {
    const { join, clock, pass } = fleetOfProcesses();
    const [fleet, other] = [join(), join({ name: "other" })];
    const sent: [string, number][] = [];
    const made = (name: string, of: typeof fleet) =>
      retryFetch({
        fetch: async () => {
          sent.push([name, clock.now()]);
          return sent.length === 1 ? busy(10) : ok();
        },
        clock,
        random: () => 0,
        statuses: [],
        pauseOrigin: of.pauses({ key: ({ url }) => url.origin }),
      });
    const [first, second, third] = [made("first", fleet), made("second", fleet), made("third", other)];
    await Promise.all([fleet.ready(), other.ready()]);

    await first(URL_OF);
    second(URL_OF);
    third(URL_OF);
    await pass(60_000);

    expect(sent).toEqual([
      ["first", 0],
      ["third", 0],
      ["second", 10_000],
    ]);
  });

  it("see how their fleet is", async () => {
    const { join } = fleetOfProcesses();
    const [fleet, other] = [join(), join()];
    const pauses = fleet.pauses({ key: () => "key" });
    other.pauses({ key: () => "key" });
    expect(pauses.stats.fleet).toMatchObject({ connected: false, exchanges: 0 });

    await other.ready();
    await fleet.ready();

    expect(pauses.stats.fleet).toMatchObject({ connected: true, exchanges: 1, unanswered: 0 });
    await fleet.close();
    expect(pauses.stats.fleet.connected).toBe(false);
  });
});
