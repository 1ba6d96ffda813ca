import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import {
  bulkhead,
  observe,
  type RetryOptions,
  retry,
  retrySync,
  runWithRetry,
  stopAfterAttempt,
  waitFixed,
  waitNone,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { instrument, requestHook } from "undaunted/otel";
import { flaky, virtualClock } from "undaunted/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sdk } from "./collected.js";

let collected: ReturnType<typeof sdk>;
let stop: () => void;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());
beforeEach(() => {
  collected = sdk();
  stop = instrument(collected.providers);
});
afterEach(() => stop());

const busy = new TypeError("busy");

/** Runs `work` under a span of the caller's own. */
function under<T>(name: string, work: () => Promise<T>): Promise<T> {
  return collected.providers.tracerProvider.getTracer("caller").startActiveSpan(name, async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
}

/** The names of a span and of all above it. */
function pathOf(span: ReadableSpan): string {
  const parent = collected.spans().find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId);
  const { "undaunted.attempt": attempt } = span.attributes;
  return `${parent ? `${pathOf(parent)} > ` : ""}${span.name}${attempt === undefined ? "" : ` ${attempt}`}`;
}

const paths = () => collected.spans().map(pathOf).sort();

describe("the span of an attempt", () => {
  it("is a child of the caller's, with its number, and has what followed as an event", async () => {
    const clock = virtualClock();
    const load = retry(flaky([busy, "ok"]), { clock, name: "load", wait: waitFixed(1_500) });

    const call = under("request", () => load());
    await clock.advance(2_000);
    await call;

    const [first, second, caller] = collected.spans();
    expect(paths()).toEqual(["request", "request > load 1", "request > load 2"]);
    expect(first).toMatchObject({ kind: SpanKind.INTERNAL, status: { code: SpanStatusCode.ERROR } });
    expect(first!.attributes).toEqual({
      "undaunted.policy": "load",
      "undaunted.attempt": 1,
      "error.type": "TypeError",
    });
    expect(first!.events.map(({ name, attributes }) => [name, attributes])).toEqual([
      ["undaunted.retry", { "undaunted.delay": 1.5, "undaunted.delay.source": "policy" }],
    ]);
    expect(second).toMatchObject({ status: { code: SpanStatusCode.UNSET }, events: [] });
    expect(caller!.name).toBe("request");
  });

  it("carries the record of a call that was given up, without messages", async () => {
    const load = retry(flaky([busy, new RangeError("secret")]), {
      name: "load",
      stop: stopAfterAttempt(2),
      wait: waitNone,
    });

    await load("secret").catch(() => {});

    const [, last] = collected.spans();
    expect(last!.events.map(({ name, attributes }) => [name, attributes!["undaunted.reason"]])).toEqual([
      ["undaunted.give_up", "stopped"],
    ]);
    const lines = String(last!.events[0]!.attributes!["undaunted.record"]).split("\n");
    expect(lines[0]).toMatch(/^load: gave up \(stopped\) after 2 attempts in \d+ ms: RangeError$/);
    expect(lines[1]).toMatch(/^ {2}1: \d+ ms, TypeError; retryIf yes, stop no; the next in 0 ms \(policy\)$/);
    expect(lines[2]).toMatch(/^ {2}2: \d+ ms, RangeError; stopped$/);
    expect(
      JSON.stringify(collected.spans().map(({ attributes, events, status }) => [attributes, events, status])),
    ).not.toContain("secret");
  });

  it("has the right parent across awaits, nested policies and overlapping calls", async () => {
    const inner = retry(
      async (of: string) => {
        await null;
        await under(`work of ${of}`, async () => {});
        if (failing.delete(of)) throw busy;
      },
      { name: "inner", wait: waitNone },
    );
    const failing = new Set(["a", "b"]);
    const outer = (of: string) =>
      retry(
        async () => {
          await null;
          await inner(of);
        },
        { name: "outer" },
      )();

    await Promise.all(["a", "b"].map((of) => under(of, () => outer(of))));

    expect(paths()).toEqual(
      ["a", "b"].flatMap((of) => [
        of,
        `${of} > outer 1`,
        `${of} > outer 1 > inner 1`,
        `${of} > outer 1 > inner 1 > work of ${of}`,
        `${of} > outer 1 > inner 2`,
        `${of} > outer 1 > inner 2 > work of ${of}`,
      ]),
    );
  });

  it("has the right parent where it waited in a queue for another call's slot", async () => {
    const slots = bulkhead({ limit: 1, queue: 9 });
    const work = slots.wrap(async (of: string) => {
      await null;
      await under(`work of ${of}`, async () => {});
    });

    await Promise.all(["a", "b", "c"].map((of) => under(of, () => retry(work, { name: "load" })(of))));

    expect(paths()).toEqual(["a", "b", "c"].flatMap((of) => [of, `${of} > load 1`, `${of} > load 1 > work of ${of}`]));
  });

  it("ends once and in each case, whatever ends the attempt or the call", async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const never = () => new Promise<never>(() => {});
    const cases: RetryOptions[] = [
      { attemptTimeout: 10, stop: stopAfterAttempt(1) },
      { totalTimeout: 10 },
      { signal: controller.signal },
    ];
    const calls = cases.map((options) => retry(never, { ...options, clock, name: "load" })().catch(() => {}));
    const broken = retry(async (): Promise<unknown> => Promise.reject(new Error("x")), {
      name: "load",
      wait: () => -1,
    })().catch(() => {});
    expect(() => retrySync(flaky([busy]), { name: "load", stop: stopAfterAttempt(1) })()).toThrow(busy);

    controller.abort();
    await clock.advance(100);
    await Promise.all([...calls, broken]);

    const ends = collected
      .spans()
      .map(({ events, status }) => [events[0]!.attributes!["undaunted.reason"], status.code]);
    expect(ends.map(([reason]) => reason).sort()).toEqual(["aborted", "broken", "deadline", "stopped", "stopped"]);
    expect(new Set(ends.map(([, code]) => code))).toEqual(new Set([SpanStatusCode.ERROR]));
  });

  it("is no longer than its attempt, though its predicate took its time", async () => {
    let now = 0;
    const clock = { now: () => now, setTimer: () => () => {} };
    const load = retry(
      async (): Promise<unknown> => {
        now += 5;
        throw busy;
      },
      { clock, retryIf: async () => new Promise((resolve) => setImmediate(() => resolve(false))) },
    );

    await load().catch(() => {});

    const [
      {
        duration: [seconds, ns],
      },
    ] = collected.spans() as [ReadableSpan];
    expect(seconds * 1e9 + ns).toBeLessThanOrEqual(5_000_001);
  });

  it("ends where it is stopped in the middle of it", async () => {
    let go!: () => void;
    const call = retry(() => new Promise<void>((resolve) => (go = resolve)), { name: "load" })();

    stop();
    go();
    await call;

    expect(paths()).toEqual(["load 1"]);
  });

  it("is none once it has been stopped, nor of a call that began before", async () => {
    stop();
    let go!: (error: Error) => void;
    const load = retry(flaky([() => new Promise((_, reject) => (go = reject)), "ok"]), { wait: waitNone });
    const call = load();
    stop = instrument(collected.providers);
    go(busy);
    await call;
    stop();
    await runWithRetry(async () => {});

    expect(collected.spans()).toEqual([]);
  });
});

describe("retryFetch", () => {
  let url: string;
  let answers: number[] = [];
  const server = createServer((_, response) => response.writeHead(answers.shift() ?? 200).end());
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret?key=secret`;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    answers = [503, 503];
  });

  it("has attempts of kind CLIENT that say how often the request was sent before", async () => {
    await retryFetch({ wait: waitNone })(url);

    expect(
      collected.spans().map(({ name, kind, attributes }) => [name, kind, attributes["http.request.resend_count"]]),
    ).toEqual([
      ["retryFetch", SpanKind.CLIENT, undefined],
      ["retryFetch", SpanKind.CLIENT, 1],
      ["retryFetch", SpanKind.CLIENT, 2],
    ]);
    expect(JSON.stringify(collected.spans().map(({ attributes, events }) => [attributes, events]))).not.toContain(
      "secret",
    );
  });

  it("beside the instrumentation of undici leaves CLIENT and the count to its spans, which are children of the attempts'", async () => {
    stop();
    stop = instrument({ ...collected.providers, httpInstrumented: true });
    const undici = new UndiciInstrumentation({ requestHook });
    const unregister = registerInstrumentations({
      instrumentations: [undici],
      tracerProvider: collected.providers.tracerProvider,
    });

    await under("request", () => retryFetch({ wait: waitNone })(url)).finally(unregister);

    const clients = collected.spans().filter(({ kind }) => kind === SpanKind.CLIENT);
    expect(clients.map((span) => [pathOf(span), span.attributes["http.request.resend_count"]])).toEqual([
      ["request > retryFetch 1 > GET", undefined],
      ["request > retryFetch 2 > GET", 1],
      ["request > retryFetch 3 > GET", 2],
    ]);
    const attempts = collected.spans().filter(({ name }) => name === "retryFetch");
    expect(attempts.map(({ kind, attributes }) => [kind, attributes["http.request.resend_count"]])).toEqual(
      Array(3).fill([SpanKind.INTERNAL, undefined]),
    );
  });

  it("requestHook says nothing of a request outside any attempt", () => {
    const set: unknown[] = [];

    requestHook({ setAttribute: (...given: unknown[]) => set.push(given) as never });

    expect(set).toEqual([]);
  });
});

it("an observer and a tracer of the caller's own see each other's spans as they are", async () => {
  const active: unknown[] = [];
  const end = observe(({ type }) => type === "success" && active.push(trace.getActiveSpan()));

  await under("request", () => retry(async () => active.push(trace.getActiveSpan()), { name: "load" })());
  end();

  const names = active.map((span) => (span as ReadableSpan | undefined)?.name);
  expect(names).toEqual(["load", "request"]);
});
