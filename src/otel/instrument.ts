import { type MeterProvider, metrics, type TracerProvider, trace } from "@opentelemetry/api";
import { observe, runAttemptsIn } from "../common/observe.js";
import { BOOLEAN, hasMethods, type Rule, readOptions } from "../common/validate.js";
import { gaugesOf } from "./gauges.js";
import { metricsOf } from "./metrics.js";
import { SCOPE } from "./names.js";
import { spansOf } from "./spans.js";

/** The options of `instrument`. */
export interface InstrumentOptions {
  /**
   * Where metrics go.
   * @default the global one, as it is when `instrument` is called
   */
  meterProvider?: MeterProvider | undefined;
  /**
   * Where spans go.
   * @default the global one
   */
  tracerProvider?: TracerProvider | undefined;
  /**
   * An instrumentation of the HTTP client makes a span of each request, and has `requestHook`. Else the attempts of `retryFetch` and `retryAxios`
   * are spans of kind CLIENT, and carry what the hook would set.
   * @default false
   */
  httpInstrumented?: boolean | undefined;
}

const RULES: Record<string, Rule> = {
  meterProvider: ["a MeterProvider", "object", /* @__PURE__ */ hasMethods("getMeter")],
  tracerProvider: ["a TracerProvider", "object", /* @__PURE__ */ hasMethods("getTracer")],
  httpInstrumented: BOOLEAN,
};

/**
 * Reports every policy, budget, breaker and bulkhead of this process, and every `retryFetch`, to OpenTelemetry: metrics, and a span for each attempt
 * under the caller's. Once, when the SDK has been started. Returns a function that ends it. No message, argument, key or URL is reported.
 *
 * @example
 * const stop = instrument();
 * await retry(flaky([new Error("busy"), "ok"]), { name: "load", wait: waitNone })(); // => "ok"
 * stop();
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const { meterProvider, tracerProvider, httpInstrumented = false } = readOptions("instrument", options, RULES);
  const meter = (meterProvider ?? metrics).getMeter(SCOPE);
  const tracer = (tracerProvider ?? trace).getTracer(SCOPE);
  const measure = metricsOf(meter);
  const spans = spansOf(tracer, httpInstrumented);
  const ends = [
    gaugesOf(meter),
    runAttemptsIn(spans.around),
    // Spans last: their end lets exporters work.
    observe(measure),
    observe(spans.listen),
    spans.close,
  ];
  return () => {
    for (const end of ends) end();
  };
}
