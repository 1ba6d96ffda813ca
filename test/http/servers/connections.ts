import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";

/** One TCP connection to a scripted server. */
export interface Connection {
  /** From 1, in the order of their coming. */
  readonly number: number;
  readonly tcp: Socket;
  /** The client's port. */
  readonly port: number | undefined;
  /** Requests that came over it. */
  requests: number;
  /** Of those, the ones whose exchange has not ended. */
  underWay: number;
  /** Ends it as its protocol does, after what was written. */
  end: () => void;
}

/**
 * The connections to one server. One counts as open until it is closed at both ends: Node's server answers a client's
 * end with its own, and after its own waits for the client's. So a socket that a client leaks stays in the count.
 */
export class Connections {
  /** How many there have been. */
  opened = 0;
  readonly #open = new Set<Connection>();
  readonly #known = new WeakMap<object, Connection>();
  readonly #events = new EventEmitter().setMaxListeners(0);

  /** How many are open now. */
  get open(): number {
    return this.#open.size;
  }

  add(tcp: Socket): void {
    const connection: Connection = {
      number: ++this.opened,
      tcp,
      port: tcp.remotePort,
      requests: 0,
      underWay: 0,
      end: () => tcp.end(),
    };
    this.#open.add(connection);
    this.#known.set(tcp, connection);
    tcp.once("close", () => {
      this.#open.delete(connection);
      this.#events.emit("closed");
    });
  }

  /** Makes the connection under a TLS socket or a session known by that too, and ended through it. */
  addLayer(layer: object, port: number | undefined, end: () => void): void {
    const below = [...this.#open].find((each) => each.port === port);
    if (below) this.#known.set(layer, Object.assign(below, { end }));
  }

  of(layer: object): Connection {
    const connection = this.#known.get(layer);
    if (!connection) throw new Error("a request came over a connection that had closed");
    return connection;
  }

  /** Resolves once none is open. */
  async settled(): Promise<void> {
    while (this.open > 0) await once(this.#events, "closed");
  }

  endIdle(): void {
    for (const each of this.#open) if (each.underWay === 0) each.end();
  }

  reset(): void {
    for (const each of this.#open) each.tcp.resetAndDestroy();
  }
}
