import type { GiveUpReason, GiveUpState, Hooks, RetryState } from "../common/attempt.js";
import { kindOf } from "../common/brand.js";
import { type AttemptRecord, type CallRecord, CallRows } from "../common/call-record.js";
import { sourceOf, takeNotes } from "../common/observed.js";
import { check, FUNCTION } from "../common/validate.js";
import { oneLine, redact } from "./redact.js";

/**
 * Hooks that say of each call, once it is over, why it was retried: `listener` gets one record of it, to read as data or, as a string, as
 * some lines. Arguments and results are not in it, and messages are cut short and redacted. Together with other hooks: `mergeHooks`.
 *
 * @example
 * const lines: string[] = [];
 * const hooks = traceCalls((record) => lines.push(...String(record).split("\n")));
 * await retry(flaky([new Error("busy"), "ok"]), { name: "load", wait: waitNone, clock: virtualClock(), ...hooks })();
 * lines[0]; // => "load: succeeded after 2 attempts in 0 ms"
 * lines[1]; // => "  1: 0 ms, Error: busy; retryIf yes, stop no; the next in 0 ms (policy)"
 * lines[2]; // => "  2: 0 ms, a value that was taken"
 */
export function traceCalls(
  listener: (record: CallRecord) => unknown,
): Required<Pick<Hooks, "onRetry" | "onSuccess" | "onGiveUp">> {
  check("traceCalls", "listener", listener, FUNCTION);
  return tracing(redact, (record) => listener(record));
}

/** The same, with what takes secrets out of messages; `end` also sees the last state. */
export function tracing(hide: (text: string) => string, end: (record: CallRecord, state: RetryState) => unknown) {
  const notes = takeNotes();
  const calls = new WeakMap<object, CallRows>();
  const line = (error: unknown) => oneLine(error, hide);
  const rowsOf = ({ call }: RetryState): CallRows => {
    const rows = calls.get(call) ?? new CallRows();
    calls.set(call, rows);
    return rows;
  };
  const row = ({ attempt, attemptElapsed, outcome }: RetryState, said: readonly string[]): AttemptRecord => ({
    ...{ attempt, took: attemptElapsed, error: outcome.ok ? undefined : line(outcome.error), said },
    ...{ delay: undefined, source: undefined },
  });
  return {
    onRetry(state: RetryState): void {
      const { source = sourceOf(state), paid } = notes.get(state) ?? {};
      rowsOf(state).add({ ...row(state, saidOnRetry(state, paid)), delay: state.delay, source });
    },
    onSuccess(state: RetryState): unknown {
      const rows = rowsOf(state);
      rows.add(row(state, []));
      return end(rows.record(oneLine(state.name, hide), state.attempt, state.elapsed, undefined, undefined), state);
    },
    onGiveUp(state: GiveUpState): unknown {
      const rows = rowsOf(state);
      if (state.attempt > rows.made) rows.add(row(state, saidAtEnd(state)));
      return end(
        rows.record(oneLine(state.name, hide), state.attempt, state.elapsed, state.reason, line(state.error)),
        state,
      );
    },
  };
}

function saidOnRetry(state: RetryState, paid: number | undefined): string[] {
  const wanted = kindIn(state) === "ERR_TRY_AGAIN" ? "the attempt asked for another" : "retryIf yes";
  return [wanted, "stop no", ...(paid === undefined ? [] : [`budget paid ${paid}`])];
}

function saidAtEnd(state: GiveUpState): readonly string[] {
  if (state.reason !== "not-retryable") return SAID[state.reason];
  const kind = kindIn(state);
  if (kind === "ERR_CIRCUIT_OPEN") return ["the breaker let it not through"];
  return [kind === "ERR_NON_RETRYABLE" ? "the attempt asked for no other" : "retryIf no"];
}

const SAID: Record<Exclude<GiveUpReason, "not-retryable">, readonly string[]> = {
  exhausted: ["a retry inside it had given up"],
  stopped: ["retryIf yes", "stop yes"],
  deadline: ["totalTimeout is over, or would be"],
  budget: ["retryIf yes", "stop no", "the budget refused"],
  aborted: ["aborted"],
  "body-not-replayable": ["retryIf yes", "the body cannot be sent again"],
};

const kindIn = ({ outcome }: RetryState) => (outcome.ok ? undefined : kindOf(outcome.error));
