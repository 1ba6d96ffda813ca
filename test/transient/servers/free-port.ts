import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Below the ports that systems give to clients and to whoever listens on 0.
const FIRST = 20_000;
const PORTS = 12_000;
let next = (process.pid * 37) % PORTS;

// The tests run in several processes. While a server is stopped to be started again its port is free for anybody: a file
// with the number of its process says whose it is.
const claims = join(tmpdir(), "undaunted-test-ports");
const ours: string[] = [];
process.on("exit", () => {
  for (const file of ours) rmSync(file, { force: true });
});

/** A port of 127.0.0.1 that nobody listens on, and no other process of the tests takes before this one ends. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    next = (next + 1) % PORTS;
    const port = FIRST + next;
    if (claim(port) && (await isFree(port))) return port;
  }
  throw new Error("no port is free");
}

function claim(port: number): boolean {
  const file = join(claims, String(port));
  try {
    mkdirSync(claims, { recursive: true });
    writeFileSync(file, String(process.pid), { flag: "wx" });
    ours.push(file);
    return true;
  } catch {
    // Of a process that was killed: whoever comes next may have it.
    if (!isAlive(file)) rmSync(file, { force: true });
    return false;
  }
}

function isAlive(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, "utf8")), 0);
    return true;
  } catch (error) {
    // Another user's, or just given up.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
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
