import { show } from "../common/validate.js";
import { type FleetNews, type FleetReply, type FleetRequest, type KnownPause, LAYOUT } from "../fleet/protocol.js";

const ENVELOPE = ["reporter", "nonce", "tick", "age", "most"];

/** The numbers of a request in the order in which the script takes them. */
const NUMBERS: Record<FleetRequest["kind"], readonly string[]> = {
  breaker: [
    ...ENVELOPE,
    ...["failureRate", "slowRate", "openFor", "maxOpenFor", "probes", "epoch", "generation", "was", "rate", "calls"],
    ...["failures", "slow", "retryAfter", "vote", "claim", "probe", "ended", "command", "hello"],
  ],
  budget: [
    ...ENVELOPE,
    ...["successes", "refunds", "wanted", "capacity", "initial", "perSuccess", "fade", "every", "floor"],
    "capacitySeconds",
  ],
  limit: [...ENVELOPE, "refunds", "wanted", "perSecond", "burst"],
  pause: [...ENVELOPE, "epoch"],
};

const ANSWER = ["tick", "stretch", "known"];
const VERDICT = ["epoch", "generation", "state", "remaining", "openings", "rate"];
const TOKENS = [...ANSWER, "granted", "balance"];
const REPLIES: Record<FleetRequest["kind"], readonly string[]> = {
  breaker: [...ANSWER, ...VERDICT, "granted", "differs"],
  budget: TOKENS,
  limit: TOKENS,
  pause: [...ANSWER, "epoch"],
};

/** The keys of a guard: all of one hash slot. A guard's own key may hold anything. */
export function keysOf(name: string, { kind, key }: FleetRequest): string[] {
  const base = `undaunted:${name}:{${kind}:${encodeURIComponent(key)}}`;
  return [base, `${base}:ring`, `${base}:nonces0`, `${base}:nonces1`, `${base}:known`, `${base}:votes`];
}

export function channelOf(name: string): string {
  return `undaunted:${name}:news`;
}

/** The script's arguments. `now`: a time in place of Redis' own, for tests. */
export function argumentsOf(name: string, request: FleetRequest, now?: number): string[] {
  const { kind, key } = request;
  const numbers = NUMBERS[kind].map((field) => String((request as unknown as Record<string, number>)[field]));
  const asked = request.kind === "pause" ? request.asked.flatMap((pause) => [pause.key, String(pause.ms)]) : [];
  return [String(LAYOUT), kind, channelOf(name), key, now === undefined ? "" : String(now), ...numbers, ...asked];
}

/** The script's reply. Throws a `TypeError` for what is none. */
export function replyOf(kind: FleetRequest["kind"], reply: unknown): FleetReply {
  const fields = REPLIES[kind];
  const all: unknown[] = Array.isArray(reply) ? reply : [];
  const numbers = all.slice(0, fields.length).map(Number);
  const more = all.slice(fields.length).map(String);
  const pauses = kind === "pause" ? pausesOf(more) : undefined;
  if (numbers.length < fields.length || numbers.some(Number.isNaN) || (more.length > 0 && !pauses)) {
    throw new TypeError(`redisFleet: client must be one of ioredis or redis; its eval returned ${show(reply)}`);
  }
  return { kind, ...named(fields, numbers), ...(pauses && { pauses }) } as unknown as FleetReply;
}

/** What came over the channel; nothing where that is not a message of ours. */
export function newsOf(message: unknown): FleetNews | undefined {
  const [kind, ...rest] = String(message).split(" ");
  if (kind === "pause") {
    const epoch = Number(rest.shift());
    const pauses = pausesOf(rest);
    return Number.isNaN(epoch) ? undefined : pauses && { kind, epoch, pauses };
  }
  if (kind !== "breaker" || rest.length <= VERDICT.length) return undefined;
  const numbers = rest.slice(0, VERDICT.length).map(Number);
  if (numbers.some(Number.isNaN)) return undefined;
  const key = rest.slice(VERDICT.length).join(" ");
  return { kind, key, ...named(VERDICT, numbers) } as unknown as FleetNews;
}

/** A list of pauses: of each its key, what is left of it and how long it is; nothing where it is no such list. */
function pausesOf(parts: readonly string[]): KnownPause[] | undefined {
  if (parts.length % 3 !== 0) return undefined;
  const pauses: KnownPause[] = [];
  for (let at = 0; at < parts.length; at += 3) {
    const [remaining, length] = [Number(parts[at + 1]), Number(parts[at + 2])];
    if (Number.isNaN(remaining) || Number.isNaN(length)) return undefined;
    pauses.push({ key: parts[at]!, remaining, length });
  }
  return pauses;
}

function named(fields: readonly string[], numbers: readonly number[]): Record<string, number> {
  return Object.fromEntries(fields.map((field, place) => [field, numbers[place]!]));
}
