import type { Clock } from "../common/clock.js";
import { check, hasMethods, type Rule } from "../common/validate.js";

/** A client of Redis that runs scripts: of `ioredis` or of `redis`, single, by sentinels or of a cluster. */
export interface RedisClient {
  eval(script: string, ...rest: any[]): Promise<unknown>;
}

/** Runs a script: its keys must be of one hash slot. */
export type RunScript = (script: string, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

const CLIENT: Rule = ["a client with a method eval", "object", /* @__PURE__ */ hasMethods("eval")];

type Methods = Record<string, ((...args: any[]) => any) | undefined>;

/** Whether it is a client of ioredis, which takes keys and arguments in a row; that of redis takes them in an object. */
export function takesARow(client: object): boolean {
  return hasMethods("defineCommand")(client as Record<string, unknown>);
}

/**
 * Makes what runs scripts by a client of either kind, by their hash once the server has seen them. Throws a `TypeError`
 * for what is no such client.
 */
export function scriptRunner(owner: string, client: RedisClient): RunScript {
  check(owner, "client", client, CLIENT);
  refuseOthers(owner, client);
  const inARow = takesARow(client);
  const methods = client as unknown as Methods;
  const byHash = inARow ? "evalsha" : "evalSha";
  const run = (method: string, script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> =>
    inARow
      ? methods[method]!(script, keys.length, ...keys, ...args)
      : methods[method]!(script, { keys: [...keys], arguments: [...args] });
  const hashes = new Map<string, string>();
  return async (script, keys, args) => {
    const hash = hashes.get(script);
    if (hash !== undefined) {
      try {
        return await run(byHash, hash, keys, args);
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
      }
    }
    const reply = await run("eval", script, keys, args);
    if (hash === undefined && methods[byHash]) await hashOf(script).then((made) => made && hashes.set(script, made));
    return reply;
  };
}

/** A server that was restarted, that took over, or whose scripts were flushed. */
function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** Its SHA-1, as Redis calls a script by; nothing where the runtime makes none. */
async function hashOf(script: string): Promise<string | undefined> {
  const { crypto } = globalThis;
  if (!crypto?.subtle) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(script)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @upstash/redis speaks HTTP, and takes keys and arguments as two arrays. */
function refuseOthers(owner: string, client: RedisClient): void {
  const { createScript, sendCommand, defineCommand } = client as unknown as Methods;
  if (typeof createScript !== "function" || sendCommand || defineCommand) return;
  throw new TypeError(
    `${owner}: client must be one of ioredis or redis; that of @upstash/redis has an eval of another kind`,
  );
}

/** Whether its connection is gone, so that what is sent now would wait in the client. */
export function isAway(client: object): boolean {
  const { status, isReady } = client as { status?: unknown; isReady?: unknown };
  return isReady === false || status === "reconnecting" || status === "close" || status === "end";
}

/** ms for which a client of `redis` may be connecting for the first time. */
const FIRST_CONNECTION = 500;

/**
 * Makes what says whether a client is away. One of `redis` that connects for the first time is not, for a while: what is sent then
 * goes out with the connection, as with a client of ioredis.
 */
export function whetherAway(client: object, clock: Pick<Clock, "now">): () => boolean {
  let wasThere = !isAway(client);
  let since: number | undefined;
  return () => {
    if (!isAway(client)) {
      wasThere = true;
      return false;
    }
    if (wasThere || (client as { isOpen?: unknown }).isOpen !== true) return true;
    since ??= clock.now();
    return clock.now() - since >= FIRST_CONNECTION;
  };
}
