import { hasMethods } from "../common/validate.js";

/** Throws a `TypeError` for what a pool does not hand out: the clients of some drivers connect, too. */
export function checkConnection(client: any, method: string): void {
  if (client && hasMethods("query", "release")(client)) return;
  throw new TypeError(
    `retryTransaction: pool.${method}() must return a connection with query and release: this is no pool of pg, mysql2/promise or mariadb`,
  );
}

interface Emitter {
  on?(event: string, listener: () => void): void;
  off?(event: string, listener: () => void): void;
}

/**
 * The release of a connection, which is done once. While the connection is held its errors are listened to: one that is lost between two
 * statements says so by an event, which would end the process where nobody listens.
 */
export function held(client: object, release: (destroy: boolean) => void): (destroy: boolean) => void {
  const emitter = client as Emitter;
  const ignore = () => {};
  emitter.on?.("error", ignore);
  let released = false;
  return (destroy) => {
    if (released) return;
    released = true;
    // One that is given up may have more to say.
    if (!destroy) emitter.off?.("error", ignore);
    release(destroy);
  };
}
