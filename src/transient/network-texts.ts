import { readField } from "../common/inspect.js";
import type { Retryability } from "./retryability.js";

// What some clients say in words only: a proxy's refusal, and all that goes wrong in Deno.

/** undici and Node, of a proxy that would not open a tunnel: nothing was sent through it. */
const TUNNEL = /^Proxy response \((\d{3})\) !== 200 when HTTP Tunneling/;

/** What a proxy's refusal says, as the status that it came with. */
export function tunnelVerdict(error: unknown, message: string, code: string): Retryability | undefined {
  if (code === "ERR_PROXY_TUNNEL") return ofStatus(Number(readField(error, "statusCode") ?? 503));
  const [, status] = TUNNEL.exec(message) ?? [];
  return status === undefined ? undefined : ofStatus(Number(status));
}

/** A proxy that is busy may open one later; one that wants credentials, or forbids it, will not. */
function ofStatus(status: number): Retryability {
  return status >= 500 || status === 408 || status === 429 ? "safe" : "permanent";
}

/** hyper's kinds of error, by which Deno tells what it was doing. */
const DENO = /client error \((\w+)\)(?:: (.*))?/s;
const DENO_DOING = ["SendRequest", "Canceled", "ChannelClosed"];
/** rustls, and a proxy's 407: it would be the same again. */
const FOR_GOOD = /certificate|received corrupt message|HandshakeFailure|ProtocolVersion|proxy authorization/i;
/** The system's own words, where Deno hands them on: Unix, Windows. */
const OS_ERROR = /^[A-Z][\w ,'’.-]* \(os error \d+\)$/;

/** What a message of Deno's says: it has neither a code nor a class for it. */
export function denoVerdict(message: string): Retryability | undefined {
  const [, doing, why = ""] = DENO.exec(message) ?? [];
  if (doing === "Connect") return FOR_GOOD.test(why) ? "permanent" : "safe";
  if (doing !== undefined) return DENO_DOING.includes(doing) ? "idempotent" : undefined;
  return OS_ERROR.test(message) ? "idempotent" : undefined;
}
