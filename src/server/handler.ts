import { kindOf } from "../common/brand.js";
import { check, FUNCTION, show } from "../common/validate.js";
import { isBodiless, isMarkedNotDone, isNotDone, isResponse, type StoredAnswer, storedHeaders } from "./answer.js";
import { answerFailure } from "./answer-failure.js";
import { readUpTo, resumed } from "./body.js";
import { deadlineOf } from "./deadline-of.js";
import { parseIdempotencyKey } from "./idempotency-header.js";
import { failureOf, type Once, onceOf, problemOf, storedKey, textOf, type Wish } from "./once.js";
import { compile, type IdempotentServerOptions, type ServerSettings } from "./options.js";
import { problem } from "./problem.js";
import { inTransaction, NotDone, noteTransaction, type TransactionPool } from "./transaction.js";

/** What handles a request, in the manner of fetch. */
export type FetchHandler<A extends unknown[]> = (request: Request, ...rest: A) => Response | Promise<Response>;

/** The same, in a transaction of which the claim and the record are part. */
export type TransactionHandler<A extends unknown[]> = (
  request: Request,
  tx: any,
  ...rest: A
) => Response | Promise<Response>;

/**
 * Wraps a handler of fetch's kind (Hono, Bun, Deno, workers, Next) so that requests with one `Idempotency-Key` are carried out once,
 * and get the same answer. See docs/server.md for what is answered when. With `transaction` the handler gets the transaction's
 * connection as its second argument. What is passed beside the request is handed on. Throws a `TypeError` or `RangeError` at once for an
 * option that makes no sense.
 *
 * @example
 * let orders = 0;
 * const handler = idempotentHandler(async () => Response.json({ order: ++orders }), {
 *   ...{ name: "orders", store: memoryIdempotencyStore(), scope: "public" },
 * });
 * const post = () => handler(new Request("http://localhost/orders", { method: "POST", headers: { "idempotency-key": "k1" } }));
 * await (await post()).json(); // => { order: 1 }
 * await (await post()).json(); // => { order: 1 }
 */
export function idempotentHandler<A extends unknown[] = []>(
  handler: TransactionHandler<A>,
  options: IdempotentServerOptions<Request> & { transaction: TransactionPool },
): (request: Request, ...rest: A) => Promise<Response>;
export function idempotentHandler<A extends unknown[] = []>(
  handler: FetchHandler<A>,
  options: IdempotentServerOptions<Request> & { transaction?: undefined },
): (request: Request, ...rest: A) => Promise<Response>;
export function idempotentHandler(
  handler: (request: Request, ...rest: any[]) => Response | Promise<Response>,
  options: IdempotentServerOptions<Request>,
): (request: Request, ...rest: any[]) => Promise<Response> {
  check("idempotentHandler", "handler", handler, FUNCTION);
  const settings = compile("idempotentHandler", options);
  const once = onceOf(settings);
  return async (request, ...rest) => {
    const call = (tx: unknown) => handler(request, ...(settings.transaction ? [tx] : []), ...rest);
    return (await refusalOf(settings, request)) ?? (await answer(settings, once, request, call));
  };
}

type Call = (tx: unknown) => Response | Promise<Response>;

/** The answer to a request that is not looked at any further. */
async function refusalOf(settings: ServerSettings<Request>, request: Request): Promise<Response | undefined> {
  if (deadlineOf(request) === 0) return problemOf(settings, LATE);
  if (!takesKey(settings, request)) return undefined;
  const header = request.headers.get("idempotency-key");
  if (header === null) return settings.required ? problemOf(settings, MISSING) : undefined;
  return parseIdempotencyKey(header) === undefined ? problemOf(settings, MALFORMED) : undefined;
}

export const LATE = /* @__PURE__ */ problem(504, "ERR_DEADLINE", "the request's deadline has passed");
export const MISSING = /* @__PURE__ */ problem(
  400,
  "ERR_IDEMPOTENCY_KEY_MISSING",
  "this request needs an Idempotency-Key",
);
export const MALFORMED = /* @__PURE__ */ problem(
  400,
  "ERR_IDEMPOTENCY_KEY_MALFORMED",
  "Idempotency-Key must be one key of 1 to 255 printable ASCII characters, quoted or not",
);
export const TOO_LARGE = /* @__PURE__ */ problem(
  413,
  "ERR_IDEMPOTENCY_BODY",
  "a request with an Idempotency-Key must not be that large",
);

/** Whether a request may have a key: a stream of events, or another protocol, cannot be sent again. */
function takesKey({ methods }: ServerSettings<Request>, { method, headers }: Request): boolean {
  return methods.includes(method) && !headers.has("upgrade") && !wantsEvents(headers.get("accept"));
}

/** Whether it takes a stream of events and nothing else. */
export function wantsEvents(accept: string | null | undefined): boolean {
  const types = accept?.split(",").map((each) => each.split(";")[0]!.trim().toLowerCase());
  return types?.every((type) => type === "text/event-stream") ?? false;
}

async function answer(settings: ServerSettings<Request>, once: Once, request: Request, call: Call): Promise<Response> {
  const header = takesKey(settings, request) ? request.headers.get("idempotency-key") : null;
  if (header === null) return withoutKey(settings, request, call);
  const key = await storedKey(settings, request, parseIdempotencyKey(header)!);
  const fingerprint = await fingerprintOf(settings, request);
  if (fingerprint === undefined) return problemOf(settings, TOO_LARGE);
  // Work that has begun runs to its end, and its answer is for whoever comes again: nobody's leaving ends it.
  keepGoing(request);

  let own: Response | undefined;
  const wish: Wish = {
    key,
    fingerprint,
    async carryOut(tx) {
      if (tx) noteTransaction(request, tx);
      const made = await carriedOut(settings, call, tx);
      own = made.response;
      if (!made.stored) throw new NotDone();
      return made.stored;
    },
  };
  const ending = await once(wish);
  if (ending.do === "replay") return replayed(ending.answer);
  return ending.do === "refuse" ? ending.response : own!;
}

async function withoutKey(settings: ServerSettings<Request>, request: Request, call: Call): Promise<Response> {
  try {
    if (!settings.transaction) return answerFailure(requireResponse(settings, await call(undefined)));
    let response: Response | undefined;
    await inTransaction(settings.transaction, async (tx) => {
      noteTransaction(request, tx);
      response = requireResponse(settings, await call(tx));
      if (response.status >= 500) throw new NotDone();
    }).catch((error) => {
      if (!(error instanceof NotDone)) throw error;
    });
    return answerFailure(response);
  } catch (error) {
    return failureOf(settings, error);
  }
}

async function fingerprintOf(settings: ServerSettings<Request>, request: Request): Promise<string | undefined> {
  if (settings.fingerprint) return settings.fingerprint(request);
  if (request.bodyUsed) {
    throw new TypeError(
      `${settings.owner}: the request's body was read before, so there is none to fingerprint; give a fingerprint`,
    );
  }
  const { bytes, rest } = await readUpTo(request.clone().body, settings.maxRequestBody);
  if (rest) {
    rest.cancel().catch(() => {});
    request.body?.cancel().catch(() => {});
    return undefined;
  }
  const { pathname, search } = new URL(request.url);
  return textOf(request.method, pathname + search, bytes);
}

/** Hides from the handler that the client is gone. */
function keepGoing(request: Request): void {
  const { signal } = new AbortController();
  Reflect.defineProperty(request, "signal", { value: signal, configurable: true });
}

function requireResponse({ owner }: ServerSettings<Request>, made: unknown): Response {
  if (isResponse(made)) return made;
  throw new TypeError(`${owner}: handler must return a Response, got ${show(made)}`);
}

interface Made {
  readonly response: Response;
  /** `undefined` where the answer says that the request was not done. */
  readonly stored: StoredAnswer | undefined;
}

async function carriedOut(settings: ServerSettings<Request>, call: Call, tx: unknown): Promise<Made> {
  try {
    const response = requireResponse(settings, await call(tx));
    if (isFreed(settings, response, response.status)) return { response: answerFailure(response), stored: undefined };
    return await kept(response, settings.maxBody);
  } catch (error) {
    const response = failureOf(settings, error);
    const freed =
      isMarkedNotDone(error) || kindOf(error) === "ERR_TRY_AGAIN" || isFreed(settings, response, response.status);
    return freed ? { response, stored: undefined } : kept(response, settings.maxBody);
  }
}

/** Whether nothing is to be kept: in a transaction, of what failed nothing is. */
export function isFreed<R>({ transaction }: ServerSettings<R>, answer: object, status: number): boolean {
  return isMarkedNotDone(answer) || isNotDone(status) || (transaction !== undefined && status >= 500);
}

/** The response with its body as it is kept; a stream of events, or what is too large, passes through. */
async function kept(response: Response, maxBody: number): Promise<Made> {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  if (status >= 500 && !headers.has("x-should-retry")) headers.set("x-should-retry", "false");
  const stored = { status, headers: storedHeaders(headers) };
  const init = { status, statusText, headers };
  if (headers.get("content-type")?.startsWith("text/event-stream")) {
    return { response: new Response(response.body, init), stored: { ...stored, body: undefined } };
  }
  const { bytes, rest } = await readUpTo(response.body, maxBody);
  if (rest) return { response: new Response(resumed(bytes, rest), init), stored: { ...stored, body: undefined } };
  return {
    response: new Response(isBodiless(status) ? null : bytesOf(bytes), init),
    stored: { ...stored, body: bytes },
  };
}

const bytesOf = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;

export function replayed({ status, headers, body }: StoredAnswer): Response {
  const all = new Headers(headers.map(([name, value]) => [name, value] as [string, string]));
  all.set("idempotent-replayed", "true");
  return new Response(isBodiless(status) ? null : bytesOf(body!), { status, headers: all });
}
