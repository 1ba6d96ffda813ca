import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { lookUp, type Retryability, type Verdict } from "./retryability.js";

// Message queues, search engines and services over HTTP: what their clients say. Each table names its source.

type Table = Readonly<Record<string, Retryability>>;

/** kafkajs and Confluent's client say it themselves: github.com/tulios/kafkajs, src/errors.js, src/protocol/error.js. */
export const kafkaVerdict: Verdict = (error, _cause, ofCause) => {
  const retriable = readField(error, "retriable") ?? readField(error, "isRetriable");
  if (typeof retriable !== "boolean") return undefined;
  // A final one is of the last of its own attempts, whose cause it has: an earlier attempt may have arrived.
  if (ofCause !== undefined) return retriable ? undefined : "idempotent";
  return retriable ? "idempotent" : "permanent";
};

/** nats: nats-core's errors by name, and nats.js 2's by code. */
const NATS: Table = {
  "503": "safe", // nobody listens
  NoRespondersError: "safe",
  CONNECTION_REFUSED: "safe",
  CONNECTION_TIMEOUT: "safe",
  CONNECTION_CLOSED: "idempotent",
  ClosedConnectionError: "idempotent",
  DISCONNECT: "idempotent",
  TIMEOUT: "idempotent",
  CONNECTION_DRAINING: "permanent", // by the program
  DrainingConnectionError: "permanent",
  AUTHORIZATION_VIOLATION: "permanent",
  AuthorizationError: "permanent",
  PERMISSIONS_VIOLATION: "permanent",
  PermissionViolationError: "permanent",
};

const nats: Verdict = (error) => {
  const name = readField(error, "name");
  return name === "NatsError" ? lookUp(NATS, readField(error, "code")) : lookUp(NATS, name);
};

/** amqplib puts the broker's code into its text: rabbitmq.com/amqp-0-9-1-reference, reply codes. */
const amqp: Verdict = (error) => {
  const said = /^(?:Connection closed|Channel closed by server|Operation failed: \w+;)[: ]+(\d{3}) \(/;
  const code = said.exec(String(readField(error, "message")))?.[1];
  if (code === undefined) return undefined;
  // Connection forced, an internal error, no consumer at the moment.
  return ["313", "320", "541"].includes(code) ? "idempotent" : "permanent";
};

const HTTP: Readonly<Record<number, Retryability>> = {
  429: "safe",
  408: "idempotent",
  500: "idempotent",
  502: "idempotent",
  503: "idempotent",
  504: "idempotent",
};

const ofStatus = (status: number): Retryability | undefined =>
  HTTP[status] ?? (status >= 400 && status < 500 ? "permanent" : undefined);

/** Elasticsearch and OpenSearch: @elastic/transport, src/errors.ts; the status is the server's, 429 a refusal before it ran. */
const elastic: Verdict = (error) => {
  const status = readField(readField(error, "meta"), "statusCode");
  if (typeof status === "number" && readField(readField(error, "meta"), "headers") !== undefined)
    return ofStatus(status);
  const name = readField(error, "name");
  if (name === "NoLivingConnectionsError") return "safe";
  return name === "ConnectionError" && readField(error, "code") === undefined ? ofConnection(error) : undefined;
};

/** Its transport keeps of a network error the words alone: "connect ECONNREFUSED 127.0.0.1:9200". */
function ofConnection(error: unknown): Retryability {
  const [, syscall, code] = /^(\w+) (E[A-Z]+)\b/.exec(String(readField(error, "message"))) ?? [];
  return networkVerdict({ syscall, code }, undefined, undefined) ?? "idempotent";
}

/** ClickHouse: src/Common/ErrorCodes.cpp. */
const CLICKHOUSE: Table = {
  TOO_MANY_SIMULTANEOUS_QUERIES: "safe",
  TOO_MANY_PARTS: "safe",
  CANNOT_SCHEDULE_TASK: "safe",
  TABLE_IS_READ_ONLY: "safe", // a replica that has lost its keeper
  TOO_FEW_LIVE_REPLICAS: "safe",
  NO_ZOOKEEPER: "safe",
  ALL_CONNECTION_TRIES_FAILED: "idempotent",
  KEEPER_EXCEPTION: "idempotent",
  MEMORY_LIMIT_EXCEEDED: "idempotent",
  NETWORK_ERROR: "idempotent",
  SOCKET_TIMEOUT: "idempotent",
  UNKNOWN_STATUS_OF_INSERT: "idempotent",
};

const clickhouse: Verdict = (error) => {
  const [code, type] = [readField(error, "code"), readField(error, "type")];
  if (readField(error, "message") === "Timeout error.") return "idempotent";
  const isTheirs =
    typeof code === "string" && /^\d{1,4}$/.test(code) && typeof type === "string" && /^[A-Z]+(_[A-Z]+)+$/.test(type);
  return isTheirs ? (lookUp(CLICKHOUSE, type) ?? "permanent") : undefined;
};

/** Google's REST errors: a reason for each, cloud.google.com/storage/docs/json_api/v1/status-codes. */
const GOOGLE: Table = {
  rateLimitExceeded: "safe",
  userRateLimitExceeded: "safe",
  concurrentLimitExceeded: "safe",
  backendError: "idempotent",
  internalError: "idempotent",
  serviceUnavailable: "idempotent",
};

const google: Verdict = (error) => {
  const errors = readField(error, "errors");
  const reason = Array.isArray(errors) ? readField(errors[0], "reason") : undefined;
  if (typeof reason !== "string") return undefined;
  const status = Number(readField(error, "code") ?? readField(readField(error, "response"), "status"));
  return lookUp(GOOGLE, reason) ?? ofStatus(status);
};

/** Firebase in a browser: its names are gRPC's, of a call whose fate nobody knows. */
const FIREBASE: Table = {
  unavailable: "idempotent",
  aborted: "idempotent",
  cancelled: "permanent",
  "deadline-exceeded": "idempotent",
  internal: "idempotent",
  unknown: "idempotent",
  "network-request-failed": "idempotent",
  "too-many-requests": "safe",
  "resource-exhausted": "permanent",
};

const firebase: Verdict = (error) => {
  const code = readField(error, "code");
  if (readField(error, "name") !== "FirebaseError" || typeof code !== "string") return undefined;
  return lookUp(FIREBASE, code.slice(code.indexOf("/") + 1)) ?? "permanent";
};

const ALL: readonly Verdict[] = [nats, amqp, elastic, clickhouse, google, firebase];

/** What the first of them that knows it says. */
export const serviceVerdict: Verdict = (...asked) => {
  for (const verdictOf of ALL) {
    const verdict = verdictOf(...asked);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
};
