import { setImmediate as turn } from "node:timers/promises";
import { virtualClock } from "undaunted/testing";
import * as undici from "undici";
import { onTestFinished } from "vitest";
import {
  drive,
  openSockets,
  type Script,
  type ScriptedServer,
  type ServerOptions,
  scriptedServer,
} from "./servers/index.js";

/** A fetch, and the classes whose instances it takes: no client takes another's. */
export interface Client {
  readonly fetch: typeof globalThis.fetch | undefined;
  readonly Request: typeof globalThis.Request;
  readonly FormData: typeof globalThis.FormData;
}

// undici's types are its own; what they describe is the same.
const undicis: unknown = undici;

export const clients: readonly (readonly [name: string, client: Client])[] = [
  ["Node's fetch", { fetch: undefined, Request, FormData }],
  ["undici's fetch", undicis as Client],
];

/** What a policy needs for its time to be virtual, and to go on by itself while a call sleeps. */
export function driven({ fetch }: Client) {
  const clock = virtualClock();
  const { hooks, delays } = drive(clock);
  return { clock, delays, policy: { fetch, clock, random: () => 0, ...hooks } };
}

/**
 * Starts a server. When the test ends, its connections that are idle are ended: a socket that is open even then was
 * leaked, and fails the test.
 */
export async function serving(script: Script, options?: ServerOptions): Promise<ScriptedServer> {
  const server = await scriptedServer(script, options);
  onTestFinished(async () => {
    const leaked = await socketsLeftTo(server);
    await server.close();
    if (leaked > 0) throw new Error(`${leaked} sockets to the server were leaked`);
  });
  return server;
}

const PATIENCE = 5_000;

/** How many sockets to a server stay open, though it has ended those that are idle. */
export async function socketsLeftTo(server: ScriptedServer): Promise<number> {
  const count = () => Math.max(server.connections.open, openSockets(server.port));
  // The server may learn a little later than the client that an exchange has ended.
  for (const since = performance.now(); count() > 0 && performance.now() - since < PATIENCE; await turn()) {
    server.endIdle();
  }
  return count();
}

/** Between the requests that came, in ms of the server's time. */
export function gaps({ requests }: ScriptedServer): number[] {
  return requests.slice(1).map((seen, before) => seen.at - requests[before]!.at);
}

/** The bodies that came, as text. */
export function bodies({ requests }: ScriptedServer): string[] {
  return requests.map((seen) => seen.body.toString());
}

/** The values of a header that came, by request. */
export function headers({ requests }: ScriptedServer, name: string): unknown[] {
  return requests.map((seen) => seen.headers[name]);
}

/** Something that a test waits for. */
export function event() {
  let happen!: () => void;
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { happen, happened };
}
