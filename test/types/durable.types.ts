import { type RetryOptions, retryIfResult, waitFixed } from "undaunted";
import {
  type DurableEngine,
  type DurableOptions,
  type NextAttempt,
  nextAttempt,
  type PlainError,
  retryDurably,
  runAttempt,
} from "undaunted/durable";
import { expectTypeOf } from "vitest";

declare const engine: DurableEngine;
declare const spanning: DurableOptions;
declare const ofOneProcess: RetryOptions;
const outcome = { ok: false, error: new Error() } as const;

expectTypeOf(retryDurably(engine, async () => 1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(retryDurably(engine, ({ attempt }) => attempt, spanning)).toEqualTypeOf<Promise<number>>();
expectTypeOf(runAttempt(async () => "a", { clock: undefined })).toEqualTypeOf<Promise<NextAttempt<string>>>();
expectTypeOf(nextAttempt({ wait: waitFixed(1) }, { outcome })).toEqualTypeOf<Promise<NextAttempt<any>>>();
expectTypeOf(nextAttempt<number>({ retryIf: retryIfResult((n: number) => n < 0) }, { outcome })).toEqualTypeOf<
  Promise<NextAttempt<number>>
>();

async function decide(): Promise<void> {
  const next = await nextAttempt<string>(undefined, { outcome, memo: null });
  if (next.do === "retry") expectTypeOf(next.error).toEqualTypeOf<PlainError | undefined>();
  if (next.do === "accept") expectTypeOf(next.value).toEqualTypeOf<string>();
  if (next.do === "giveUp") expectTypeOf(next.error).toEqualTypeOf<PlainError>();
}
void decide;

// A policy of one process may have been made with what cannot span several.
// @ts-expect-error TS2379: it may have a clock
nextAttempt(ofOneProcess, { outcome });
// @ts-expect-error TS2322: a signal means one process
nextAttempt({ signal: new AbortController().signal }, { outcome });
// @ts-expect-error TS2322: so does unref
retryDurably(engine, () => 1, { unref: true });
// @ts-expect-error TS2322: and onLateResult
retryDurably(engine, () => 1, { onLateResult: () => {} });
runAttempt(() => 1, { unref: true, onLateResult: () => {}, signal: new AbortController().signal });
// A durable policy serves a process as well.
expectTypeOf(spanning).toExtend<RetryOptions>();
