import { JUDGES_ERRORS, mark } from "../common/traits.js";
import { BOOLEAN, FUNCTION, readOptions } from "../common/validate.js";
import { classifyError } from "./classify.js";
import { lacksMysqlParent } from "./mysql.js";
import { allIn } from "./originals.js";
import { lacksPostgresParent } from "./postgres.js";
import type { Retryability } from "./retryability.js";

/** The options of `retryIfTransient`. */
export interface RetryIfTransientOptions {
  /**
   * Whether what is retried may happen twice without harm: then also errors after which nobody knows whether it happened are
   * retried.
   * @default false
   */
  idempotent?: boolean | undefined;
  /**
   * Whether errors of an unknown kind are retried.
   * @default false
   */
  unknown?: boolean | undefined;
  /**
   * Whether a missing parent row (PostgreSQL 23503, MySQL 1452) is retried: where another service writes the parent, and it may
   * arrive after the child.
   * @default false
   */
  parentMayFollow?: boolean | undefined;
  /**
   * What tells the errors apart: `classifyPostgresError`, one of your own.
   * @default classifyError
   */
  classify?: ((error: unknown) => Retryability) | undefined;
}

const TABLE = { idempotent: BOOLEAN, unknown: BOOLEAN, parentMayFollow: BOOLEAN, classify: FUNCTION };

/**
 * Retries errors that pass by: those after which what failed was surely not done, and, where it is idempotent, those after which nobody
 * knows. Never a value. In a transaction it belongs around the whole of it, BEGIN to COMMIT. Throws a `TypeError` for a bad option.
 *
 * @example
 * const retryIf = retryIfTransient({ idempotent: true });
 * retryIf({ code: "ECONNRESET" }); // => true
 * retryIf({ code: "23505", severity: "ERROR" }); // => false
 */
export function retryIfTransient(options: RetryIfTransientOptions = {}): (error: unknown) => boolean {
  const {
    idempotent = false,
    unknown = false,
    parentMayFollow = false,
    classify = classifyError,
  } = readOptions("retryIfTransient", options, TABLE);
  const wanted: Record<Retryability, boolean> = { safe: true, idempotent, unknown, permanent: false };
  return mark(
    (error: unknown) => wanted[classify(error)] || (parentMayFollow && allIn(error).some(lacksParent)),
    JUDGES_ERRORS,
  );
}

function lacksParent(error: unknown): boolean {
  return lacksPostgresParent(error) || lacksMysqlParent(error);
}
