import { check, type Rule } from "../common/validate.js";
import type { HeadersGiven } from "./authorize.js";
import type { HttpHeaders } from "./request.js";

const HEADERS: Rule = ["headers: an object, a list of pairs, or a Headers", "object"];

/** Sets what `authorize` returned. */
export function setHeaders(owner: string, headers: HttpHeaders, given: unknown): void {
  check(owner, "what authorize returned", given, HEADERS);
  for (const [name, value] of new Headers(given as HeadersGiven)) headers.set(name, value);
}
