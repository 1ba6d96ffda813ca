import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

/** A point of a metric: its attributes, and a number, or a histogram's count and sum. */
export interface Point {
  readonly attributes: Record<string, unknown>;
  readonly value: number | { readonly count: number; readonly sum: number };
}

/** An SDK that keeps what it is told. */
export function sdk() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const spanExporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spanExporter)] });
  return {
    providers: { meterProvider, tracerProvider },
    spans: () => spanExporter.getFinishedSpans(),
    /** What was measured so far, by the metric's name. */
    async metrics() {
      exporter.reset();
      await meterProvider.forceFlush();
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
      return new Map(
        all.map(({ descriptor, dataPoints }) => [descriptor.name, { descriptor, points: dataPoints.map(pointOf) }]),
      );
    },
  };
}

function pointOf({ attributes, value }: { attributes: object; value: unknown }): Point {
  if (typeof value === "number") return { attributes: { ...attributes }, value };
  const { count, sum = 0 } = value as { count: number; sum?: number };
  return { attributes: { ...attributes }, value: { count, sum } };
}
