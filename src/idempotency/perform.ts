import { report } from "../common/call-hook.js";
import type { Clock } from "../common/clock.js";
import { enter, leave } from "../common/current.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { promiseOf } from "../common/thenable.js";
import { begin, type Call } from "./call.js";
import { type ClaimedKey, claimedKey, patiently } from "./claimed-key.js";
import { IdempotencyRecordError, IdempotencyTimeoutError } from "./errors.js";
import { meaningOf } from "./on-failure.js";
import { recordOfDoubt, recordOfFailure, recordOfValue } from "./record.js";
import type { Claim } from "./store.js";
import { storeMethod } from "./store-method.js";

/** Runs the function, and sees to it that its key says afterwards what has happened. */
export async function perform(call: Call, claim: Claim & { state: "won" }): Promise<unknown> {
  const { settings, storeKey, attempt } = call;
  const { clock, maxRun, times } = settings;
  const held = claimedKey(settings, storeKey, claim);
  if (attempt?.signal.aborted) {
    // The store took its time, and nobody waits any more: what has not begun need not happen.
    await held.release();
    throw attempt.signal.reason;
  }
  const began = clock.now();
  const run = start(call);
  if (maxRun !== undefined && (await isOver(run, maxRun, clock))) return giveUp(call, held, run, maxRun);
  let value: unknown;
  try {
    value = await run;
  } catch (error) {
    await heedFailure(call, held, error);
    throw error;
  } finally {
    times.add(clock.now() - began);
  }
  return recorded(call, held, value);
}

/** Calls the function as a part of the attempt that the call began in. */
async function start(call: Call): Promise<unknown> {
  if (!call.attempt) return promiseOf(begin(call));
  const outer = enter(call.attempt);
  let result: unknown;
  try {
    result = begin(call);
  } finally {
    leave(outer);
  }
  return promiseOf(result);
}

async function recorded({ settings, key }: Call, held: ClaimedKey, value: unknown): Promise<unknown> {
  const { text, refused } = recordOfValue(value, settings.codec);
  let isKept: boolean;
  try {
    isKept = await held.record(text);
  } catch (cause) {
    // Without its record the transaction cannot be committed either, and nothing has happened: another attempt may help.
    if (held.inTransaction) throw cause;
    throw new IdempotencyRecordError(key, "the store failed", { value, cause });
  }
  if (!isKept) throw new IdempotencyRecordError(key, LOST, { value });
  if (refused !== undefined) throw new IdempotencyRecordError(key, refused, { value });
  return value;
}

const LOST = "its lease was over, and another call may have run";

async function heedFailure(call: Call, held: ClaimedKey, error: unknown): Promise<void> {
  const meaning = meaningOf(call.settings, error);
  if (meaning === "free") return held.release();
  // Whoever tried again would only meet it again.
  if (meaning === "record") rememberExhausted(error, nextOrdinal(), true);
  await keep(call, held, meaning === "record" ? recordOfFailure(error) : recordOfDoubt(held.token, error));
}

/** Records what is not the call's result. What goes wrong is reported: the call has an error of its own. */
async function keep({ settings, key }: Call, held: ClaimedKey, text: string): Promise<void> {
  try {
    if (await held.record(text)) return;
    report(settings, settings.store, new IdempotencyRecordError(key, LOST));
  } catch (error) {
    // The rollback undoes what the failed call has done.
    if (!held.inTransaction) report(settings, settings.store, error);
  }
}

/** Whether `run` takes longer than `ms`. */
function isOver(run: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(() => resolve(true), ms);
    const inTime = () => {
      cancel();
      resolve(false);
    };
    run.then(inTime, inTime);
  });
}

async function giveUp(call: Call, held: ClaimedKey, run: Promise<unknown>, maxRun: number): Promise<never> {
  const error = new IdempotencyTimeoutError(call.key, maxRun);
  if (held.inTransaction) {
    // Its caller ends the transaction, and with that decides.
    run.catch(() => {});
  } else {
    const doubt = recordOfDoubt(held.token, error);
    const isKept = keep(call, held, doubt);
    void recordLate(call, run, isKept, doubt);
    await isKept;
  }
  throw error;
}

/** Puts what the run ends in in the place of the doubt, unless somebody has decided meanwhile. Never rejects. */
async function recordLate(call: Call, run: Promise<unknown>, isKept: Promise<void>, doubt: string): Promise<void> {
  const { settings, storeKey } = call;
  const text = await lateRecord(call, run, doubt);
  await isKept;
  if (text === doubt) return;
  try {
    const swap = storeMethod(settings, "swap");
    await patiently(settings, () => swap(storeKey, doubt, text, settings.keep));
  } catch (error) {
    report(settings, settings.store, error);
  }
}

/** The record of a late ending, `undefined` where it frees the key. */
async function lateRecord({ settings }: Call, run: Promise<unknown>, doubt: string): Promise<string | undefined> {
  try {
    return recordOfValue(await run, settings.codec).text;
  } catch (error) {
    const meaning = meaningOf(settings, error);
    if (meaning === "free") return undefined;
    return meaning === "record" ? recordOfFailure(error) : doubt;
  }
}
