import type { AxiosResponse } from "axios";
import { type AbortSource, abortSourceOf } from "../common/interrupt.js";
import type { HttpClient } from "../http/client.js";
import { HttpCall } from "../http/http-call.js";
import { applyKey } from "../http/idempotency-key.js";
import { perCall } from "../http/per-call.js";
import type { HttpKind, HttpPolicySource } from "../http/policy.js";
import { urlOf } from "../http/request.js";
import { asAxiosError } from "./axios-errors.js";
import { type AxiosRequest, AxiosTransport, type Config, type Sender } from "./axios-transport.js";
import { handToAxios } from "./parsed.js";

/** Whose calls they are. */
export interface Retrying {
  readonly kind: HttpKind;
  readonly client: HttpClient;
  readonly source: HttpPolicySource<AxiosRequest>;
}

/** Where a relative URL stands outside a page: adapters may have a base of their own, and a socket's host is not looked at. */
const NOWHERE = "http://localhost";

/** Sends what an axios instance has made of a request, again and again where that is due. */
export async function sendRetried(
  { kind, client, source }: Retrying,
  { instance, adapter, given }: Sender,
  dispatched: Config,
): Promise<AxiosResponse> {
  const config: Config = { ...dispatched, adapter: given! };
  const uri = instance.getUri(config);
  let url: URL;
  try {
    url = urlOf(uri, NOWHERE);
  } catch {
    // The adapter has its own error for it.
    return adapter(config);
  }
  const method = (config.method ?? "get").toUpperCase();
  const request: AxiosRequest = { method, url, headers: config.headers, config };
  const base = typeof source === "function" ? source(request) : source;
  const policy = perCall(kind, base, config.retry);
  const keyed = applyKey(client.owner, policy.key, request);
  const transport = new AxiosTransport(request, adapter, uri.startsWith("/"), policy.options.prepare !== undefined);
  const cancelling = cancellingOf(config);
  const call = new HttpCall<AxiosResponse>(client, policy, transport, [config], keyed, cancelling.abortSources);
  try {
    return handToAxios(await call.start(), dispatched);
  } catch (error) {
    throw handToAxios(asAxiosError(error, config), dispatched);
  } finally {
    cancelling.end();
  }
}

/** What may cancel a request: its signal, and axios' own older token. */
function cancellingOf({ signal, cancelToken }: Config): { readonly abortSources: AbortSource[]; end(): void } {
  const abortSources = signal ? [abortSourceOf(signal as AbortSignal)] : [];
  if (!cancelToken) return { abortSources, end() {} };
  const controller = new AbortController();
  const token = cancelToken as unknown as Record<
    "subscribe" | "unsubscribe",
    (listener: (reason: unknown) => void) => void
  >;
  const cancel = (reason: unknown) => controller.abort(reason);
  token.subscribe(cancel);
  return { abortSources: [...abortSources, abortSourceOf(controller.signal)], end: () => token.unsubscribe(cancel) };
}
