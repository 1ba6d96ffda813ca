import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

/** A host name that no resolver knows (RFC 6761, section 6.4). */
export const unresolvable = "nowhere.invalid";

export interface DeadPort {
  readonly port: number;
  readonly origin: string;
  url(path: string): string;
  /** Gives the port back to the system. */
  close(): Promise<void>;
}

/**
 * A port of 127.0.0.1 on which nobody listens, and nobody begins to: it is a client's end of a connection, so that the
 * system gives it to no server that asks for any free port, as it might a port that was only listened on and closed.
 */
export async function deadPort(): Promise<DeadPort> {
  const server = createServer();
  const accepted = once(server, "connection");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(client, "connect");
  const port = client.localPort!;
  const origin = `http://127.0.0.1:${port}`;
  const [other] = await accepted;
  return {
    port,
    origin,
    url: (path) => origin + path,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      // No TIME_WAIT is left by a reset: the port is free at once.
      client.resetAndDestroy();
      other.destroy();
      await closed;
    },
  };
}
