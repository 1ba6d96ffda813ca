import { report } from "../common/call-hook.js";
import { codeOf, readField } from "../common/inspect.js";
import { sha256 } from "../common/sha256.js";
import { check, type Rule } from "../common/validate.js";
import { idempotent } from "../idempotency/idempotent.js";
import type { IdempotencyStore } from "../idempotency/store.js";
import type { StoredAnswer } from "./answer.js";
import { answerFailure } from "./answer-failure.js";
import type { ServerSettings } from "./options.js";
import { FINAL, type Problem, problem, problemResponse, retryAfter } from "./problem.js";
import { inTransaction, NotDone, type TransactionalStore } from "./transaction.js";

/** A request with a key, as it is told from others and carried out. */
export interface Wish {
  readonly key: string;
  readonly fingerprint: string;
  /** Runs the handler. What it resolves with is stored; it rejects with a `NotDone` where nothing is to be. */
  carryOut(tx: unknown): Promise<StoredAnswer>;
}

/** How a request with a key ends: the handler's own answer stands, an earlier one is sent again, or it is refused. */
export type Ending =
  | { readonly do: "send" }
  | { readonly do: "replay"; readonly answer: StoredAnswer }
  | { readonly do: "refuse"; readonly response: Response };

/** Runs a wish once for each key. */
export type Once = (wish: Wish) => Promise<Ending>;

export function onceOf<R>(settings: ServerSettings<R>): Once {
  const { transaction, store, passed } = settings;
  const over = (each: IdempotencyStore) =>
    idempotent((wish: Wish, tx: unknown) => wish.carryOut(tx), {
      ...passed,
      store: each,
      key: (wish) => wish.key,
      fingerprint: (wish) => wish.fingerprint,
      // Whatever a handler throws is an answer. What is not one may have happened.
      onFailure: (error) => (error instanceof NotDone ? "free" : "hold"),
    });
  // Options that make no sense are found out now.
  const once = over(store);
  const run = (wish: Wish) =>
    transaction
      ? inTransaction(transaction, (tx) => over((store as TransactionalStore).within(tx))(wish, tx))
      : once(wish, undefined);

  return async (wish) => {
    let ran = false;
    const watched: Wish = {
      ...wish,
      carryOut(tx) {
        ran = true;
        return wish.carryOut(tx);
      },
    };
    try {
      const answer = await run(watched);
      if (ran) return { do: "send" };
      return answer.body ? { do: "replay", answer } : refuse(settings, NOT_KEPT, FINAL);
    } catch (error) {
      return endingOf(settings, error, ran);
    }
  };
}

const NOT_KEPT = /* @__PURE__ */ problem(
  409,
  "ERR_IDEMPOTENCY_NOT_KEPT",
  "the request was carried out, and its answer was too large to be kept",
);

/** What `refuse` says of each error of `idempotent`'s. */
const REFUSALS: Readonly<Record<string, readonly [status: number, detail: string, headers?: Record<string, string>]>> =
  {
    ERR_IDEMPOTENCY_IN_FLIGHT: [409, "a request with this Idempotency-Key is being carried out"],
    ERR_IDEMPOTENCY_MISMATCH: [422, "this Idempotency-Key was used with another request"],
    ERR_IDEMPOTENCY_UNDECIDED: [
      409,
      "whether the request with this Idempotency-Key was carried out is not known yet",
      FINAL,
    ],
    ERR_IDEMPOTENCY_TIMEOUT: [504, "the request takes too long; it may still be carried out", FINAL],
    ERR_IDEMPOTENCY_RECORD: [500, "the request was carried out, and its answer is lost", FINAL],
  };

function endingOf<R>(settings: ServerSettings<R>, error: unknown, ran: boolean): Ending {
  if (error instanceof NotDone) return { do: "send" };
  const code = codeOf(error) as string;
  if (ran && code === "ERR_IDEMPOTENCY_RECORD") {
    // It was carried out, and its answer is right; that it is not kept is not the client's business.
    report(settings, settings.store, error);
    return { do: "send" };
  }
  const [status, detail, headers] = (Object.hasOwn(REFUSALS, code) && REFUSALS[code]) || [];
  if (status !== undefined) {
    const ms = readField(error, "retryAfter");
    return refuse(settings, problem(status, code, detail), {
      ...headers,
      ...(typeof ms === "number" && retryAfter(ms)),
    });
  }
  // The store, or the database: nothing was done, or the next request with the key finds out.
  report(settings, settings.store, error);
  return refuse(
    settings,
    problem(503, "ERR_IDEMPOTENCY_STORE", "the request cannot be carried out now"),
    retryAfter(1_000),
  );
}

export function refuse<R>(
  settings: ServerSettings<R>,
  what: Problem,
  headers: Readonly<Record<string, string>> = {},
): Ending & { do: "refuse" } {
  return { do: "refuse", response: problemOf(settings, what, headers) };
}

/** The response to a problem, as the option has it. */
export function problemOf<R>(
  { problem: own }: ServerSettings<R>,
  what: Problem,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return own ? own(what, headers) : problemResponse(what, headers);
}

const SCOPE: Rule = ["a string that is not empty", "string", (scope) => scope !== ""];

/** The key as it is stored: of no two scopes the same, and nothing that somebody else can write down. */
export async function storedKey<R>({ owner, scope }: ServerSettings<R>, request: R, key: string): Promise<string> {
  if (scope === "public") return sha256(JSON.stringify([key]));
  const whose = await scope(request);
  check(owner, "what scope returns", whose, SCOPE);
  return sha256(JSON.stringify([whose, key]));
}

/** What tells a request from another. */
export async function textOf(method: string, path: string, body: Uint8Array | string): Promise<string> {
  return JSON.stringify([method, path, await hashOf(body)]);
}

async function hashOf(body: Uint8Array | string): Promise<string> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The answer to what a handler threw, which is reported. */
export function failureOf<R>(settings: ServerSettings<R>, error: unknown): Response {
  settings.onError(error);
  return answerFailure(error);
}
