import type { HookOwner } from "../common/call-hook.js";
import type { Clock } from "../common/clock.js";
import { BOOLEAN, check, FUNCTION, hasMethods, type Rule, readOptions, WHOLE } from "../common/validate.js";
import type { Replay } from "../idempotency/options.js";
import type { IdempotencyStore } from "../idempotency/store.js";
import type { Problem } from "./problem.js";
import type { TransactionPool } from "./transaction.js";

/** The options of `idempotentHandler` and `idempotentMiddleware`; `R` is the request. */
export interface IdempotentServerOptions<R> {
  /** Where keys and answers are kept. */
  store: IdempotencyStore;
  /** What the route's records belong to: 1 to 64 letters, digits, `_`, `.` or `-`. Another route needs another. */
  name: string;
  /**
   * Whose keys they are: the account, the tenant. Two scopes never share an answer. It must not come from what anybody can send, and is
   * not empty; `"public"` where everybody who knows a key may have its answer.
   */
  scope: "public" | ((request: R) => string | Promise<string>);
  /**
   * The methods that are answered by key; others run as ever.
   * @default ["POST", "PATCH"]
   */
  methods?: readonly string[] | undefined;
  /**
   * Whether a request of these methods without a key is refused, with 400.
   * @default false
   */
  required?: boolean | undefined;
  /**
   * The largest answer that is kept, in bytes, from 1. A larger one is sent, and a repeat gets 409.
   * @default 1_048_576
   */
  maxBody?: number | undefined;
  /**
   * The largest request with a key, in bytes, from 1: it is read whole, to tell it from others. A larger one is refused, with 413.
   * @default 10_485_760
   */
  maxRequestBody?: number | undefined;
  /** What tells one request from another, in place of method, path, query and body. */
  fingerprint?: ((request: R) => string) | undefined;
  /** As in `idempotent`: ms, above 0. */
  lease?: number | undefined;
  /** ms for which an answer is kept, above 0. */
  keep?: number | undefined;
  /** As in `idempotent`: ms, above 0. */
  maxRun?: number | undefined;
  /**
   * A pool whose connections the handler, the claim and the record share a transaction of. `store` must be one of that database's.
   */
  transaction?: TransactionPool | undefined;
  /** Makes the response to a problem, in place of `application/problem+json`. */
  problem?: ((problem: Problem, headers: Readonly<Record<string, string>>) => Response) | undefined;
  /**
   * Told what a handler threw: it is answered, and nobody else hears of it.
   * @default console.error
   */
  onError?: ((error: unknown) => void) | undefined;
  /** Told of each answer that came from the store. A promise is waited for. */
  onReplay?: ((replay: Replay) => void | Promise<void>) | undefined;
  /** Told what went wrong beside a request, such as a store that is down. */
  onStoreError?: ((error: unknown) => void) | undefined;
  /** Time: `virtualClock()` from `undaunted/testing` in tests. */
  clock?: Clock | undefined;
}

/** Options, checked and filled. */
export interface ServerSettings<R> extends HookOwner {
  readonly owner: string;
  readonly store: IdempotencyStore;
  readonly scope: IdempotentServerOptions<R>["scope"];
  readonly methods: readonly string[];
  readonly required: boolean;
  readonly maxBody: number;
  readonly maxRequestBody: number;
  readonly fingerprint: ((request: R) => string) | undefined;
  readonly transaction: TransactionPool | undefined;
  readonly problem: IdempotentServerOptions<R>["problem"];
  readonly onError: (error: unknown) => void;
  /** What `idempotent` is given as well. */
  readonly passed: object;
}

const STORE: Rule = [
  "an IdempotencyStore",
  "object",
  /* @__PURE__ */ hasMethods("claim", "renew", "record", "release"),
];
const SCOPE: Rule = [
  'a function of the request that returns whose key it is, or "public"',
  "string|function",
  (scope) => scope === "public" || typeof scope === "function",
];
const METHODS: Rule = [
  "a list of methods, as POST",
  "object",
  (methods) => Array.isArray(methods) && methods.every((each) => typeof each === "string" && /^[A-Z]+$/.test(each)),
];
const POOL: Rule = [
  "a pool with a method connect or getConnection",
  "object",
  (pool) => typeof pool.connect === "function" || typeof pool.getConnection === "function",
];
const ANY: Rule = ["anything", "any"];
const TABLE = {
  store: STORE,
  name: ANY,
  scope: SCOPE,
  methods: METHODS,
  required: BOOLEAN,
  maxBody: WHOLE,
  maxRequestBody: WHOLE,
  fingerprint: FUNCTION,
  lease: ANY,
  keep: ANY,
  maxRun: ANY,
  transaction: POOL,
  problem: FUNCTION,
  onError: FUNCTION,
  onReplay: ANY,
  onStoreError: FUNCTION,
  clock: ANY,
};

/** Checks options and fills in the defaults; what `idempotent` knows it checks itself. */
export function compile<R>(owner: string, options: IdempotentServerOptions<R>): ServerSettings<R> {
  const given = readOptions(owner, options, TABLE, ["store", "scope"]);
  const { name, lease, keep, maxRun, onReplay, onStoreError, clock } = given;
  if (given.transaction) check(owner, "store", given.store, WITHIN);
  return {
    owner,
    store: given.store,
    scope: given.scope,
    methods: given.methods ?? ["POST", "PATCH"],
    required: given.required ?? false,
    maxBody: given.maxBody ?? 2 ** 20,
    maxRequestBody: given.maxRequestBody ?? 10 * 2 ** 20,
    fingerprint: given.fingerprint,
    transaction: given.transaction,
    problem: given.problem,
    onError: given.onError ?? ((error) => console.error(error)),
    passed: { name, lease, keep, maxRun, onReplay, onStoreError, clock },
    kind: { sync: "" },
    onHookError: onStoreError,
  };
}

const WITHIN: Rule = [
  "one that can be within a transaction, of PostgreSQL or MySQL",
  "object",
  /* @__PURE__ */ hasMethods("within"),
];
