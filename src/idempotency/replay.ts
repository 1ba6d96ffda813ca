import { callHook } from "../common/call-hook.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { describe } from "../common/inspect.js";
import { observed } from "../common/observed.js";
import type { Call } from "./call.js";
import { IdempotencyRecordError, IdempotencyUndecidedError } from "./errors.js";
import type { IdempotencySettings } from "./options.js";
import { type Entry, readRecord, recordOfValue } from "./record.js";
import { storeMethod } from "./store-method.js";

/** The result that is on record; throws a failure that is; `undefined` where the key turns out to be free. */
export async function replay(call: Call, record: string): Promise<{ readonly value: unknown } | undefined> {
  const { settings, key } = call;
  const entry = entryOf(settings, key, record);
  if (entry.state === "undecided") return decide(call, record, entry.error);
  if (entry.state === "unrecorded") throw new IdempotencyRecordError(key, entry.why);
  const name = settings.name ?? (call.fn.name || "anonymous");
  observed.watcher?.emit({ type: "replay", name }, settings.clock, call.attempt);
  if (settings.onReplay) {
    await callHook(settings, settings.onReplay, { name, key, at: entry.at });
  }
  if (entry.state === "done") return { value: entry.value };
  // It was recorded as final.
  rememberExhausted(entry.error, nextOrdinal(), true);
  throw entry.error;
}

/** What stands in a record. One that cannot be read is as good as none, but its call has run. */
export function entryOf({ codec }: IdempotencySettings, key: string, record: string): Entry {
  try {
    return readRecord(record, codec);
  } catch (cause) {
    throw new IdempotencyRecordError(key, `its record cannot be read: ${describe(cause)}`, { cause });
  }
}

async function decide(call: Call, record: string, error: Error | undefined): Promise<{ value: unknown } | undefined> {
  const { settings, key, storeKey } = call;
  const { wasDone, keep, owner, codec } = settings;
  const undecided = (cause: unknown) => new IdempotencyUndecidedError(key, cause === undefined ? {} : { cause });
  if (!wasDone) throw undecided(error);
  const swap = storeMethod(settings, "swap");
  let found: unknown;
  try {
    found = checked(owner, await wasDone.call(call.self, key, ...call.args));
  } catch (cause) {
    throw undecided(cause);
  }
  if (found === undefined) throw undecided(error);
  if (found === false) {
    await swap(storeKey, record, undefined, keep);
    return undefined;
  }
  const { value } = found as { value: unknown };
  const { text, refused } = recordOfValue(value, codec);
  // Where another call was quicker, its decision stands.
  if (!(await swap(storeKey, record, text, keep))) return undefined;
  if (refused !== undefined) throw new IdempotencyRecordError(key, refused, { value });
  return { value };
}

function checked(owner: string, found: unknown): unknown {
  const isResult = typeof found === "object" && found !== null && "value" in found;
  if (isResult || found === false || found === undefined) return found;
  throw new TypeError(`${owner}: what wasDone returns must be { value }, false or undefined`);
}
