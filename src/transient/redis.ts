import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { originalsOf } from "./originals.js";
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

/** Replies that say what was asked, or how the server is set up. */
const PERMANENT =
  /^(BUSYGROUP|BUSYKEY|CROSSSLOT|DENIED|EXECABORT|INVALIDOBJ|MISCONF|NOAUTH|NOGROUP|NOPERM|NOPROTO|NOSCRIPT|NOTBUSY|OOM|UNKILLABLE|WRONGPASS|WRONGTYPE)$/;

/** What the drivers say; their classes do not say their names, or by names that a minifier changes. */
const MESSAGES: readonly (readonly [RegExp, Retryability])[] = [
  [/^ERR max number of clients reached/, "safe"], // the server, before it takes a command
  [/^Command timed out$/, "idempotent"], // ioredis: commandTimeout
  [/^Connection is closed\.$/, "idempotent"], // ioredis: lost with the command under way, or never made
  [/^Reached the max retries per request limit /, "idempotent"], // ioredis: lost again and again, with the command under way
  [/^(Stream|Cluster) isn't (writeable|ready) and enableOfflineQueue options is false$/, "safe"], // ioredis: not sent
  [/^None of startup nodes is available$/, "safe"], // ioredis: no node could be reached
  [/^Failed to refresh slots cache\.$/, "safe"], // ioredis: likewise
  [/^No master node is available for the pipeline$/, "safe"], // ioredis: not sent
  [/^All sentinels are unreachable/, "safe"], // ioredis: nobody knows the primary
  [/^Too many Cluster redirections/, "safe"], // both: each node sent the command on to another
  [/^Socket closed unexpectedly$/, "idempotent"], // redis: lost with the command under way
  [/^Disconnects client$/, "idempotent"], // redis: destroyed with the command under way
  [/^Socket timeout\b/, "idempotent"], // both: socketTimeout
  [/^Command timeout during maintenance\. Waited to write/, "safe"], // redis: not sent
  [/^Connection timeout$/, "safe"], // redis: not connected
  [/^The client is offline$/, "safe"], // redis: not sent
  [/^The queue is full$/, "safe"], // redis: not sent
  [/^Timeout waiting for a client /, "safe"], // redis: the pool
  [/^All the root nodes are unavailable$/, "safe"], // redis: no node could be reached
  [/^None of the sentinels are available$/, "safe"], // redis: nobody knows the primary
  [/^couldn't connect to any sentinels?( node)?$/i, "safe"], // redis: likewise
  [/^(no valid master node|no available replicas|Master Node Not Enumerated|No Replicas Nodes Enumerated)$/, "safe"], // redis: likewise
  [/^One \(or more\) of the watched keys has been changed$/, "safe"], // redis: nothing of the transaction was done
  [/^Scan iteration was interrupted by a Sentinel master change$/, "idempotent"], // redis: begin the scan anew
  [/^The command was aborted$/, "permanent"], // redis: by its caller
  [/^(The client is closed|Cluster closed)$/, "permanent"], // redis: by the program, or because it gave up connecting
];

const REPLY = /^([A-Z]+) /;
/** The same words in another's mouth are no reply: an error that does not say that it is one must go on as a server does. */
const REPLY_TEXT =
  /^(LOADING \w+ is loading|BUSY \w+ is busy|READONLY You can't|(MOVED|ASK) \d+ |TRYAGAIN Multiple|(CLUSTER|MASTER)DOWN |NOREPLICAS Not|UNBLOCKED \w+ )/;

/** What the drivers call an error that the server replied. */
const REPLIES: readonly unknown[] = ["ReplyError", "ErrorReply", "SimpleError", "BlobError"];

export const redisVerdict: Verdict = (error) => {
  const message = String(readField(error, "message"));
  const known = MESSAGES.find(([pattern]) => pattern.test(message));
  if (known) return known[1];
  const [name, className] = [readField(error, "name"), readField(readField(error, "constructor"), "name")];
  // redis: a command's own timeout, which ends before it is sent, and has no words.
  if (className === "TimeoutError" && message === "") return "safe";
  const word = REPLY.exec(message)?.[1];
  if (!word) return undefined;
  const isReply = REPLIES.includes(name) || REPLIES.includes(className);
  if (SAFE.includes(word) && (isReply || REPLY_TEXT.test(message))) return "safe";
  return PERMANENT.test(word) || isReply ? "permanent" : undefined;
};

/**
 * Says whether a Redis command may be sent again: from the errors of `ioredis` and `redis`, and of the network. A reply such as LOADING or
 * READONLY says that the command was not executed; a connection that was lost says nothing about an INCR.
 *
 * @example
 * classifyRedisError({ name: "ReplyError", message: "LOADING Redis is loading the dataset in memory" }); // => "safe"
 * classifyRedisError({ name: "ReplyError", message: "WRONGTYPE Operation against a key" }); // => "permanent"
 */
export function classifyRedisError(error: unknown): Retryability {
  return lookThrough(error, (...asked) => redisVerdict(...asked) ?? networkVerdict(...asked), { originalsOf });
}
