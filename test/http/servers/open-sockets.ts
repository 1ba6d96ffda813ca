import { EventEmitter, once } from "node:events";
import { Socket } from "node:net";

// Every client of Node's (fetch, undici, axios, http2, with TLS or without) opens its sockets by this one method.
// `process.getActiveResourcesInfo()` leaves out the sockets that a pool keeps without keeping the process alive, which
// are the ones of interest, and does not tell whose a socket is; the channel `net.client.socket` leaves out TLS. A
// socket counts until its `close` event: its descriptor is gone then, and never before.
const open = new Set<{ readonly port: number | undefined }>();
const events = new EventEmitter().setMaxListeners(0);
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
  this.once("connect", () => {
    const entry = { port: this.remotePort };
    open.add(entry);
    this.once("close", () => {
      open.delete(entry);
      events.emit("closed");
    });
  });
  return Reflect.apply(connect, this, args);
} as typeof connect;

/** How many client sockets of this process are connected to a port, of any host. Counted from this file's import on. */
export function openSockets(port: number): number {
  return [...open].filter((each) => each.port === port).length;
}

/** Resolves once no client socket of this process is connected to the port. */
export async function socketsClosed(port: number): Promise<void> {
  while (openSockets(port) > 0) await once(events, "closed");
}
