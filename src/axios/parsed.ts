import type { AxiosResponse, InternalAxiosRequestConfig } from "axios";
import { readField } from "../common/inspect.js";
import { AxiosHeaders } from "./peer.js";

// Conditions see `response.data` as the caller will: parsed. axios transforms only what comes out of the adapter, which is
// where we stand; so it is transformed when somebody looks at it, and axios is handed what that came to.

/** For each response whose data is shown parsed: what gives it back as it came, to be transformed by that config. */
const shown = /* @__PURE__ */ new WeakMap<object, (by: InternalAxiosRequestConfig) => void>();

/** Lets `response.data` be what `transformResponse` makes of it, once somebody reads it. */
export function showParsed(config: InternalAxiosRequestConfig, response: AxiosResponse): void {
  const raw: unknown = response.data;
  // Nothing is transformed in a stream, and a stand-in's response may be the same each time.
  if (typeof raw !== "string" || shown.has(response) || !config.transformResponse) return;
  let parsed: { readonly data: unknown } | undefined;
  const define = (of: PropertyDescriptor) =>
    Object.defineProperty(response, "data", { ...of, configurable: true, enumerable: true });
  define({
    get: () => {
      parsed ??= transformed(config, response, raw);
      return parsed ? parsed.data : raw;
    },
    set: (value) => define({ value, writable: true }),
  });
  shown.set(response, (by) => {
    define({ value: raw, writable: true });
    if (parsed) transformTo(by, parsed.data);
  });
}

/** Whether its data is text, which looks otherwise to those who read it. */
export function isShownParsed(response: AxiosResponse): boolean {
  return shown.has(response);
}

/** Hands a response, or that in an error, to axios, which transforms its data: no function sees it twice. */
export function handToAxios<T>(ended: T, dispatched: InternalAxiosRequestConfig): T {
  const response = readField(ended, "response") ?? ended;
  shown.get(response as object)?.(dispatched);
  shown.delete(response as object);
  return ended;
}

/** `undefined` where that throws: axios will, when its turn comes. */
function transformed(
  config: InternalAxiosRequestConfig,
  { headers, status }: AxiosResponse,
  raw: unknown,
): { readonly data: unknown } | undefined {
  const of = AxiosHeaders.from(headers as any) as any;
  try {
    return {
      data: [config.transformResponse!].flat().reduce((data, each) => each.call(config, data, of, status), raw),
    };
  } catch {
    return undefined;
  }
}

/** Makes the next transformation one that is already done. */
function transformTo(config: InternalAxiosRequestConfig, data: unknown): void {
  const { transformResponse } = config;
  config.transformResponse = () => {
    config.transformResponse = transformResponse!;
    return data;
  };
}
