import { secondsIn } from "./hint-value.js";

// The syntax of RFC 9651. Each alternative begins with a character of its own, so that nothing is tried twice.
const KEY = "[a-z*][a-z0-9_.*-]*";
const BARE =
  '"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"' +
  "|-?\\d{1,15}(?:\\.\\d{1,3})?" +
  "|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*" +
  "|:[A-Za-z0-9+/=]*:" +
  "|\\?[01]";
const MEMBERS = /* @__PURE__ */ (() => {
  const parameter = `; *${KEY}(?:=(?:${BARE}))?`;
  return new RegExp(`(?:(${KEY})=)?(${BARE})((?:${parameter})*)[ \\t]*(,[ \\t]*|$)`, "gy");
})();
const PARAMETERS = /* @__PURE__ */ (() => new RegExp(`; *(${KEY})(?:=(${BARE}))?`, "gy"))();

/** What a server says of one of its quotas: what remains of it, and ms until there is more. */
interface Quota {
  readonly isSpent: boolean;
  readonly reset: number | undefined;
}

/**
 * The quotas in a `RateLimit` field, none where it is malformed (the draft: ignore it then). Either a list with
 * parameters, `"default";r=0;t=30` (draft-ietf-httpapi-ratelimit-headers from 08), or the dictionary that older drafts
 * had, `limit=100, remaining=0, reset=30`.
 */
export function quotasIn(field: string): readonly Quota[] {
  const members = membersOf(field);
  const named = members.filter(({ key }) => key !== undefined);
  if (named.length === 0) return members.map(({ parameters }) => quotaOf(parameters, "r", "t"));
  if (named.length < members.length) return [];
  return [quotaOf(new Map(named.map(({ key, value }) => [key!, value])), "remaining", "reset")];
}

function quotaOf(values: ReadonlyMap<string, string>, remaining: string, reset: string): Quota {
  return { isSpent: isZero(values.get(remaining) ?? ""), reset: secondsIn(values.get(reset) ?? "") };
}

export function isZero(text: string): boolean {
  return /^0+$/.test(text);
}

/** ms until the quotas allow more: those that are spent decide, and where none is said to be, all of them. */
export function resetOf(quotas: readonly Quota[]): number | undefined {
  const spent = quotas.filter(({ isSpent }) => isSpent);
  const resets = (spent.length > 0 ? spent : quotas).flatMap(({ reset }) => reset ?? []);
  return resets.length > 0 ? resets.reduce((longest, reset) => Math.max(longest, reset)) : undefined;
}

interface Member {
  readonly key: string | undefined;
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The members of a list or dictionary, none where any is malformed. */
function membersOf(field: string): readonly Member[] {
  const members: Member[] = [];
  let separator = "";
  for (const [, key, value, parameters, after] of field.matchAll(MEMBERS)) {
    members.push({ key, value: value!, parameters: parametersOf(parameters!) });
    separator = after!;
  }
  // A comma is what the last match ends with where nothing well-formed follows it.
  return separator === "" ? members : [];
}

function parametersOf(text: string): ReadonlyMap<string, string> {
  return new Map(Array.from(text.matchAll(PARAMETERS), ([, key, value = "?1"]) => [key!, value]));
}
