import { once } from "node:events";
import { createServer } from "node:net";

// Below the ports that systems give to clients and to whoever listens on 0, so that nobody takes the port of a server
// that is stopped and started again. Each process begins elsewhere, since the tests run in several.
const FIRST = 20_000;
const PORTS = 12_000;
let next = (process.pid * 37) % PORTS;

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    next = (next + 1) % PORTS;
    if (await isFree(FIRST + next)) return FIRST + next;
  }
  throw new Error("no port is free");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
