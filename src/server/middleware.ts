import { kindOf } from "../common/brand.js";
import { report } from "../common/call-hook.js";
import { describe, readField } from "../common/inspect.js";
import { isThenable } from "../common/thenable.js";
import { fingerprintText } from "../idempotency/fingerprint-text.js";
import { isMarkedNotDone } from "./answer.js";
import { Capture, sendResponse } from "./capture.js";
import { deadlineOf } from "./deadline-of.js";
import { isFreed, LATE, MALFORMED, MISSING, replayed, wantsEvents } from "./handler.js";
import { parseIdempotencyKey } from "./idempotency-header.js";
import type { NodeRequest, NodeResponse } from "./node-types.js";
import { failureOf, type Once, onceOf, problemOf, storedKey, textOf, type Wish } from "./once.js";
import { compile, type IdempotentServerOptions, type ServerSettings } from "./options.js";
import { problem } from "./problem.js";
import { inTransaction, NotDone, noteTransaction } from "./transaction.js";

/** A middleware of Node's kind: for Express and Nest, a `preHandler` of Fastify, or called by hand with the handler for `next`. */
export type IdempotentMiddleware = (req: any, res: any, next: (error?: any) => unknown) => void;

/** A request as the framework has it and as Node has it, and how it goes on. */
interface Exchange {
  /** The framework's own, which the user's functions are given. */
  readonly request: NodeRequest;
  readonly raw: NodeRequest;
  readonly res: NodeResponse;
  readonly next: () => unknown;
}

/**
 * The same as `idempotentHandler` for `(req, res)`: Node's own server, Express 5, Fastify (as a `preHandler` hook) and Nest. It stands
 * after what parses the body: a request that has one and no `req.body` is answered with 500, and reported. It holds the answer back
 * until that is on record. With `transaction` a handler finds the connection by `transactionOf(req)`. Throws a `TypeError` or
 * `RangeError` at once for an option that makes no sense.
 *
 * ```ts no-run
 * app.use(express.json());
 * app.post("/charges", idempotentMiddleware({ name: "charges", store, scope: (req) => req.user.account }), charge);
 * ```
 *
 * @example
 * idempotentMiddleware({ name: "charges", store: memoryIdempotencyStore(), scope: "public" }).length; // => 3
 */
export function idempotentMiddleware<R = any>(options: IdempotentServerOptions<R>): IdempotentMiddleware {
  const settings = compile("idempotentMiddleware", options) as ServerSettings<any>;
  const once = onceOf(settings);
  // Not async: Fastify would wait for a promise and for next, and Express take its rejection for the handler's.
  return (req, res, next) => {
    const exchange: Exchange = { request: req, raw: req.raw ?? req, res: res.raw ?? res, next };
    // Fastify's reply is told that somebody else sends it.
    const takeOver = () => (typeof res.hijack === "function" ? res.hijack() : undefined);
    void serve(settings, once, exchange, takeOver).catch(async (error) => {
      report(settings, settings.store, error);
      takeOver();
      await sendResponse(exchange.res, problemOf(settings, problem(500, "ERR_FAILED", describe(error)))).catch(
        () => {},
      );
    });
  };
}

async function serve(
  settings: ServerSettings<any>,
  once: Once,
  exchange: Exchange,
  takeOver: () => void,
): Promise<void> {
  const { raw, res } = exchange;
  const header = keyOf(settings, raw);
  const key = header === undefined ? undefined : parseIdempotencyKey(header);
  const refusal =
    deadlineOf(raw) === 0
      ? LATE
      : header !== undefined
        ? key === undefined && MALFORMED
        : settings.required && takesKey(settings, raw) && MISSING;
  if (refusal) {
    takeOver();
    return sendResponse(res, problemOf(settings, refusal));
  }
  if (key === undefined) return withoutKey(settings, exchange);
  return withKey(settings, once, exchange, key, takeOver);
}

function takesKey({ methods }: ServerSettings<any>, { method = "", headers }: NodeRequest): boolean {
  return (
    methods.includes(method) && headers.upgrade === undefined && !wantsEvents(headers.accept as string | undefined)
  );
}

function keyOf(settings: ServerSettings<any>, raw: NodeRequest): string | undefined {
  const value = takesKey(settings, raw) ? raw.headers["idempotency-key"] : undefined;
  // Two headers are two keys.
  return Array.isArray(value) ? value.join(", ") : value;
}

async function withKey(
  settings: ServerSettings<any>,
  once: Once,
  exchange: Exchange,
  key: string,
  takeOver: () => void,
): Promise<void> {
  const { request, res } = exchange;
  let capture: Capture | undefined;
  const wish: Wish = {
    key: await storedKey(settings, request, key),
    fingerprint: await fingerprintOf(settings, exchange),
    async carryOut(tx) {
      capture = new Capture(res, settings.maxBody);
      const { answer, freed } = await carriedOut(settings, exchange, capture, tx);
      if (freed) throw new NotDone();
      return answer;
    },
  };
  const ending = await once(wish);
  if (ending.do === "send") return capture!.send();
  const response = ending.do === "replay" ? replayed(ending.answer) : ending.response;
  if (capture) return capture.replace(response);
  takeOver();
  return sendResponse(res, response);
}

async function withoutKey(settings: ServerSettings<any>, exchange: Exchange): Promise<void> {
  const { res } = exchange;
  if (!settings.transaction) return goOn(exchange, (error) => void sendResponse(res, failureOf(settings, error)));
  const capture = new Capture(res, settings.maxBody);
  try {
    await inTransaction(settings.transaction, async (tx) => {
      const { freed } = await carriedOut(settings, exchange, capture, tx);
      if (freed) throw new NotDone();
    });
  } catch (error) {
    if (!(error instanceof NotDone)) return capture.replace(failureOf(settings, error));
  }
  capture.send();
}

/** Lets the handler run until it has ended its answer. */
async function carriedOut(settings: ServerSettings<any>, exchange: Exchange, capture: Capture, tx: unknown) {
  const { request, raw, res } = exchange;
  if (tx) for (const each of new Set([request, raw])) noteTransaction(each, tx);
  let saysNotDone = false;
  goOn(exchange, (error) => {
    saysNotDone = isMarkedNotDone(error) || kindOf(error) === "ERR_TRY_AGAIN";
    void sendResponse(res, failureOf(settings, error));
  });
  const answer = await capture.ended;
  const freed =
    saysNotDone || isFreed(settings, res, answer.status) || (capture.isLost && settings.transaction !== undefined);
  return { answer, freed };
}

/** Calls what comes next, and heeds what it throws, which frameworks keep to themselves. */
function goOn({ next }: Exchange, failed: (error: unknown) => void): void {
  try {
    const result = next();
    if (isThenable(result)) Promise.resolve(result).catch(failed);
  } catch (error) {
    failed(error);
  }
}

function fingerprintOf(settings: ServerSettings<any>, { request, raw }: Exchange): string | Promise<string> {
  if (settings.fingerprint) return settings.fingerprint(request);
  const path = raw.originalUrl ?? raw.url ?? "";
  return textOf(raw.method ?? "", path, bodyOf(settings, request, raw));
}

function bodyOf({ owner }: ServerSettings<any>, request: NodeRequest, raw: NodeRequest): Uint8Array | string {
  const body = readField(request, "body");
  if (body instanceof Uint8Array || typeof body === "string") return body;
  if (body !== undefined) return fingerprintText(owner, [body]);
  const { "content-length": length, "transfer-encoding": encoding } = raw.headers;
  if (encoding === undefined && !(Number(length) > 0)) return "";
  throw new TypeError(
    `${owner}: the request has a body, and req.body is not there: put the middleware after what parses it, or give a fingerprint`,
  );
}
