import { readField } from "../common/inspect.js";
import { networkVerdict } from "./network.js";
import { originalOf, originalsOf } from "./originals.js";
import { lookThrough, lookUp, type Retryability, type Verdict, type Wrappers } from "./retryability.js";

/** The pool gave no connection: whatever it met before, this call sent nothing. */
const NO_CONNECTION: readonly unknown[] = [
  "P2024", // Prisma
  "ER_GET_CONNECTION_TIMEOUT", // mariadb, whose cause is an earlier connection's end
  "SequelizeConnectionAcquireTimeoutError",
];

const NO_CONNECTION_TEXT = /* @__PURE__ */ new RegExp(
  /* @__PURE__ */ [
    "^Knex: Timeout acquiring a connection\\.",
    "^operation timed out for an unknown reason$", // tarn: mssql, Knex
    "^ResourceRequest timed out$", // generic-pool
    "Unable to start a transaction in the given time\\.$", // Prisma
  ].join("|"),
);

function poolVerdict(error: unknown): Retryability | undefined {
  const [code, name, message] = ["code", "name", "message"].map((field) => readField(error, field));
  const gaveNone = NO_CONNECTION.includes(code) || NO_CONNECTION.includes(name);
  return gaveNone || (typeof message === "string" && NO_CONNECTION_TEXT.test(message)) ? "safe" : undefined;
}

/**
 * How ORMs and clients wrap what their drivers throw. The driver's own error alone decides; and what a pool met before it gave up was not this
 * call, unless nobody will ever get a connection.
 */
export const WRAPPERS: Wrappers = {
  decide(error, judge) {
    const ofPool = poolVerdict(error);
    if (ofPool) return judge(readField(error, "cause")) === "permanent" ? "permanent" : ofPool;
    return judge(originalOf(error));
  },
  originalsOf,
};

/** prisma.io/docs/orm/reference/error-reference; the rest of its codes is about what was asked. */
const PRISMA: Readonly<Record<string, Retryability>> = {
  P1001: "safe", // the server cannot be reached
  P1002: "idempotent", // reached, but silent
  P1008: "idempotent", // the operation took too long
  P1017: "idempotent", // the connection was lost
  P2028: "idempotent", // a transaction that is over already, mostly by its own timeout
  P2034: "safe", // a write conflict or a deadlock
  P2037: "safe", // too many connections
  P5011: "safe", // Accelerate: too many requests
  P6004: "idempotent", // Accelerate: the query took too long
  P6008: "idempotent", // Accelerate: no connection to the database, or no more
};
/** A raw query's error, or one that no other code fits: its text has the driver's code. */
const PRISMA_RAW: readonly unknown[] = ["P2010", "P2039"];

/** What Prisma's driver adapters make of an error that has no code of the server's. */
const ADAPTER: Readonly<Record<string, Retryability>> = {
  ConnectionClosed: "idempotent",
  DatabaseNotReachable: "safe",
  SocketTimeout: "idempotent",
  TooManyConnections: "safe",
  TransactionWriteConflict: "safe",
};

/** What ORMs say in words of their own. */
export const ormVerdict: Verdict = (error) => {
  // Prisma's client that could not be started has it under another name.
  const code = readField(error, "code") ?? readField(error, "errorCode");
  if (typeof code === "string" && /^P[1-6]\d{3}$/.test(code)) {
    return lookUp(PRISMA, code) ?? (PRISMA_RAW.includes(code) ? undefined : "permanent");
  }
  const kind = readField(error, "kind");
  const ofAdapter = lookUp(ADAPTER, kind);
  if (ofAdapter) return ofAdapter;
  return /^Defined query timeout of \d+ms exceeded when running query\.$/.test(String(readField(error, "message")))
    ? "idempotent" // Knex
    : undefined;
};

/** What a database's driver says, also through an ORM, and the network under it. */
export function lookThroughOrm(error: unknown, verdictOf: Verdict): Retryability {
  return lookThrough(
    error,
    (...asked) => ormVerdict(...asked) ?? verdictOf(...asked) ?? networkVerdict(...asked),
    WRAPPERS,
  );
}
