import {
  type Context,
  context,
  createContextKey,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { CallRows } from "../common/call-record.js";
import type { AttemptEvent, GiveUpEvent, ObservedEvent, RetryEvent, SuccessEvent } from "../common/observe-events.js";
import { ATTRIBUTES as A, SPAN_EVENTS } from "./names.js";

const ATTEMPT = createContextKey("undaunted attempt");

/** The number of the attempt that a context belongs to, if it belongs to one. */
export function attemptIn(of: Context): number | undefined {
  return of.getValue(ATTEMPT) as number | undefined;
}

interface Open {
  readonly span: Span;
  /** ms, the time of day. */
  readonly startedAt: number;
}

interface InFlight {
  open: Open | undefined;
  readonly rows: CallRows;
}

/** Makes a span of each attempt: `around` runs it in the span's context, `listen` ends it. */
export function spansOf(tracer: Tracer, httpInstrumented: boolean) {
  const calls = new Map<number, InFlight>();

  const around = (event: AttemptEvent, run: () => void): void => {
    const { name, call, attempt, http } = event;
    const parent = context.active();
    const startedAt = timeOfDay();
    const isClient = http && !httpInstrumented;
    const attributes = {
      [A.policy]: name,
      [A.attempt]: attempt,
      ...(isClient && attempt > 1 && { [A.resendCount]: attempt - 1 }),
    };
    const kind = isClient ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const span = tracer.startSpan(name, { kind, attributes, startTime: startedAt }, parent);
    const inFlight = calls.get(call) ?? { open: undefined, rows: new CallRows() };
    inFlight.open = { span, startedAt };
    calls.set(call, inFlight);
    context.with(trace.setSpan(parent, span).setValue(ATTEMPT, attempt), run);
  };

  /** Ends the span of the attempt, if it is still open. */
  const end = (inFlight: InFlight, took: number, errorType: string | undefined, failed: boolean) => {
    const { open } = inFlight;
    inFlight.open = undefined;
    if (!open) return;
    const { span, startedAt } = open;
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    if (errorType !== undefined) span.setAttribute(A.errorType, errorType);
    // Not after now, whatever clock the policy goes by.
    span.end(Math.max(startedAt, Math.min(startedAt + took, timeOfDay())));
  };

  const retried = (event: RetryEvent, inFlight: InFlight) => {
    const { attempt, attemptElapsed, errorType, delay, source } = event;
    inFlight.rows.add({
      attempt,
      took: attemptElapsed,
      error: errorType,
      said: ["retryIf yes", "stop no"],
      delay,
      source,
    });
    inFlight.open?.span.addEvent(SPAN_EVENTS.retry, { [A.delay]: delay / 1_000, [A.source]: source });
    end(inFlight, attemptElapsed, errorType, errorType !== undefined);
  };

  const ended = (event: SuccessEvent | GiveUpEvent, inFlight: InFlight) => {
    calls.delete(event.call);
    const { attempt, attemptElapsed, elapsed, name } = event;
    const { rows, open } = inFlight;
    if (event.type === "success") return end(inFlight, attemptElapsed, undefined, false);
    const { reason, errorType } = event;
    if (attempt > rows.made) {
      rows.add({
        attempt,
        took: attemptElapsed,
        error: errorType,
        said: [reason],
        delay: undefined,
        source: undefined,
      });
    }
    const record = rows.record(name, attempt, elapsed, reason, errorType);
    open?.span.addEvent(SPAN_EVENTS.giveUp, { [A.reason]: reason, [A.record]: String(record) });
    end(inFlight, attemptElapsed, errorType, true);
  };

  const listen = (event: ObservedEvent): void => {
    const inFlight = event.call === undefined ? undefined : calls.get(event.call);
    if (!inFlight) return;
    if (event.type === "retry") retried(event, inFlight);
    else if (event.type === "success" || event.type === "give-up") ended(event, inFlight);
  };

  /** Ends what is open: nobody will hear how those attempts end. */
  const close = (): void => {
    for (const { open } of calls.values()) open?.span.end();
    calls.clear();
  };

  return { around, listen, close };
}

function timeOfDay(): number {
  return performance.timeOrigin + performance.now();
}
