import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookThrough, type Retryability, type Verdict } from "./retryability.js";

// redis.io/docs/latest/develop/reference/protocol-spec and src/server.c: a reply that is an error begins with a word in capitals.

/** The command was not executed. */
const SAFE: readonly string[] = [
  "LOADING", // starting: the data set is being read
  "TRYAGAIN", // a slot is moving, and only some of the keys are there
  "CLUSTERDOWN", // not all slots are served
  "MASTERDOWN", // a replica without its primary, told not to serve stale data
  "BUSY", // a script runs
  "READONLY", // a replica that was the primary a moment ago: connect anew
  "MOVED", // another node has the slot
  "ASK", // another node has the key
  "NOREPLICAS", // not enough replicas to write
  "UNBLOCKED", // while it waited: the primary became a replica
];

/** Errors of ioredis that have a name of their own. */
const NAMES: Readonly<Record<string, Retryability>> = {
  MaxRetriesPerRequestError: "idempotent", // the connection was lost, again and again, with the command under way
  ClusterAllFailedError: "safe", // no node could be reached
};

/** What the drivers say; the classes of `redis` do not tell their names. */
const MESSAGES: readonly (readonly [RegExp, Retryability])[] = [
  [/^ERR max number of clients reached/, "safe"], // the server, before it takes a command
  [/^Command timed out$/, "idempotent"], // ioredis: commandTimeout
  [/^Connection is closed\.$/, "idempotent"], // ioredis: lost with the command under way, or never made
  [/^Stream isn't writeable and enableOfflineQueue options is false$/, "safe"], // ioredis: not sent
  [/^None of startup nodes is available$/, "safe"], // ioredis: no node could be reached
  [/^Socket closed unexpectedly$/, "idempotent"], // redis: lost with the command under way
  [/^Disconnects client$/, "idempotent"], // redis: destroyed with the command under way
  [/^Socket timeout /, "idempotent"], // redis: socketTimeout
  [/^Connection timeout$/, "safe"], // redis: not connected
  [/^The client is offline$/, "safe"], // redis: not sent
  [/^The queue is full$/, "safe"], // redis: not sent
  [/^Timeout waiting for a client /, "safe"], // redis: the pool
  [/^All the root nodes are unavailable$/, "safe"], // redis: no node could be reached
  [/^One \(or more\) of the watched keys has been changed$/, "safe"], // redis: nothing of the transaction was done
  [/^The command was aborted$/, "permanent"], // redis: by its caller
  [/^The client is closed$/, "permanent"], // redis: by the program, or because it gave up connecting
];

const REPLY = /^([A-Z]+) /;

/** What the drivers call an error that the server replied. */
const REPLIES: readonly unknown[] = ["ReplyError", "ErrorReply", "SimpleError", "BlobError"];

export const redisVerdict: Verdict = (error) => {
  const message = String(readField(error, "message"));
  const known = MESSAGES.find(([pattern]) => pattern.test(message));
  if (known) return known[1];
  const [name, className] = [readField(error, "name"), readField(readField(error, "constructor"), "name")];
  if (typeof name === "string" && Object.hasOwn(NAMES, name)) return NAMES[name];
  // redis: a command's own timeout, which ends before it is sent, and has no words.
  if (className === "TimeoutError" && message === "") return "safe";
  const word = REPLY.exec(message)?.[1];
  if (!word) return undefined;
  if (SAFE.includes(word)) return "safe";
  return REPLIES.includes(name) || REPLIES.includes(className) ? "permanent" : undefined;
};

/**
 * Tells whether a Redis command may be sent again: from the errors of `ioredis` and `redis`, and of the network. A reply such as LOADING or
 * READONLY says that the command was not executed; a connection that was lost says nothing about an INCR.
 *
 * @example
 * classifyRedisError({ name: "ReplyError", message: "LOADING Redis is loading the dataset in memory" }); // => "safe"
 * classifyRedisError({ name: "ReplyError", message: "WRONGTYPE Operation against a key" }); // => "permanent"
 */
export function classifyRedisError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => redisVerdict(...asked) ?? networkVerdict(...asked));
}
