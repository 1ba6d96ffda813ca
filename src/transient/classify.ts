import { kindOf } from "../common/brand.js";
import { awsVerdict } from "./aws.js";
import { grpcVerdict } from "./grpc.js";
import { mongoVerdict } from "./mongo.js";
import { mysqlVerdict } from "./mysql.js";
import { networkVerdict } from "./network.js";
import { ormVerdict, WRAPPERS } from "./orms.js";
import { postgresVerdict } from "./postgres.js";
import { redisVerdict } from "./redis.js";
import { lookThrough, lookUp, type Retryability, type Verdict } from "./retryability.js";
import { kafkaVerdict, serviceVerdict } from "./services.js";
import { sqlServerVerdict } from "./sql-server.js";
import { sqliteVerdict } from "./sqlite.js";

const OURS: Readonly<Record<string, Retryability>> = {
  ERR_BULKHEAD_FULL: "safe",
  ERR_IDEMPOTENCY_IN_FLIGHT: "safe",
  ERR_IDEMPOTENCY_MISMATCH: "permanent",
  ERR_IDEMPOTENCY_RECORD: "permanent",
};

const ourVerdict: Verdict = (error) => lookUp(OURS, kindOf(error));

/** Those with the surest signs come first. */
const VERDICTS: readonly Verdict[] = [
  ourVerdict,
  ormVerdict,
  mongoVerdict,
  awsVerdict,
  grpcVerdict,
  sqliteVerdict,
  mysqlVerdict,
  sqlServerVerdict,
  postgresVerdict,
  redisVerdict,
  serviceVerdict,
  networkVerdict,
  kafkaVerdict,
];

/**
 * Says whether what failed may be done again, whatever it was: asks all classifiers. Where the stack is known, its own is smaller
 * and cannot take one driver's error for another's.
 *
 * @example
 * classifyError({ code: "40P01", severity: "ERROR" }); // => "safe"
 * classifyError(new Error("fetch failed", { cause: { code: "ECONNRESET" } })); // => "idempotent"
 */
export function classifyError(error: unknown): Retryability {
  const first: Verdict = (...asked) => {
    for (const verdictOf of VERDICTS) {
      const verdict = verdictOf(...asked);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  };
  return lookThrough(error, first, WRAPPERS);
}
