import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  bulkhead,
  circuitBreaker,
  retry,
  retryBudget,
  stopAfterAttempt,
  waitExponential,
  waitFixed,
  waitNone,
} from "undaunted";
import { retryFetch } from "undaunted/http";
import { idempotent } from "undaunted/idempotency";
import { instrument } from "undaunted/otel";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import dashboard from "../../docs/grafana/undaunted.json" with { type: "json" };
import { observed } from "../../src/common/observed.js";
import { root } from "../docs/blocks.js";
import { listening, type Prometheus, startPrometheus, whyNoPrometheus } from "./prometheus.js";

const reason = whyNoPrometheus ? ` (${whyNoPrometheus})` : "";

// What a flaky server counts is held against what Prometheus has been told.

describe.skipIf(whyNoPrometheus)(`Prometheus${reason}`, () => {
  let prometheus: Prometheus;
  let stop: () => void;
  const server = createServer((request, response) => {
    const id = String(request.headers["x-call"]);
    const { requests, lastStatus } = counted;
    requests.set(id, (requests.get(id) ?? 0) + 1);
    // Of each seven requests four fail, in no step with the calls.
    const status = [503, 200, 500, 503, 200, 502, 200][counted.all++ % 7]!;
    lastStatus.set(id, status);
    response.writeHead(status, status === 503 && counted.all % 2 ? { "retry-after": "0.001" } : {}).end();
  });
  const counted = { all: 0, requests: new Map<string, number>(), lastStatus: new Map<string, number>() };
  let url: string;

  beforeAll(async () => {
    url = `http://127.0.0.1:${await listening(server)}/`;
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const meterProvider = new MeterProvider({ readers: [exporter] });
    stop = instrument({ meterProvider });
    prometheus = await startPrometheus((request, response) => exporter.getMetricsRequestHandler(request, response));
  });
  afterAll(async () => {
    stop?.();
    await prometheus?.close();
    server.close();
  });

  const one = async (query: string) => (await prometheus.query(query)).map(({ value }) => value)[0];

  it("has the numbers that the server counted, after one last scrape", async () => {
    const load = retryFetch({
      name: "orders",
      stop: stopAfterAttempt(3),
      wait: waitNone,
      budget: retryBudget({ capacity: 1e6 }),
    });

    const calls = Array.from({ length: 200 }, (_, id) => load(url, { headers: { "x-call": String(id) } }));
    await Promise.all(calls);
    await prometheus.lastScrape();

    const { requests, lastStatus } = counted;
    const all = [...requests.values()];
    const total = all.reduce((sum, each) => sum + each, 0);
    const failed = [...lastStatus.values()].filter((status) => status >= 500).length;
    expect(total).toBeGreaterThan(250);
    expect(failed).toBeGreaterThan(10);
    expect({
      calls: await one('sum(undaunted_call_attempts_count{undaunted_policy="orders"})'),
      attempts: await one('sum(undaunted_call_attempts_sum{undaunted_policy="orders"})'),
      timed: await one('sum(undaunted_attempt_duration_count{undaunted_policy="orders"})'),
      retries: await one('sum(undaunted_retries_total{undaunted_policy="orders"})'),
      perCall: await one('sum(undaunted_call_retries_sum{undaunted_policy="orders"})'),
      retried: await one('sum(undaunted_call_retries_count{undaunted_policy="orders"})'),
      once: await one('sum(undaunted_call_attempts_bucket{undaunted_policy="orders",le="1"})'),
      failed: await one('sum(undaunted_give_ups_total{undaunted_policy="orders",undaunted_reason="stopped"})'),
      succeeded: await one('undaunted_call_attempts_count{undaunted_policy="orders",undaunted_outcome="success"}'),
    }).toEqual({
      calls: 200,
      attempts: total,
      timed: total,
      retries: total - 200,
      perCall: total - 200,
      retried: all.filter((count) => count > 1).length,
      once: all.filter((count) => count === 1).length,
      failed,
      succeeded: 200 - failed,
    });
  });

  it("has data for every query of the dashboard", async () => {
    const hold = guardsAtWork();
    const queries = dashboard.panels.flatMap((panel) =>
      "targets" in panel ? panel.targets!.map(({ expr }) => expr) : [],
    );
    // Twice, with a scrape between: a rate is taken over what changes.
    for (let round = 0; round < 2; round++) {
      await someOfEverything(url);
      await prometheus.lastScrape();
    }

    const empty: string[] = [];
    for (const query of queries) {
      const samples = await prometheus.query(
        query.replaceAll("$__rate_interval", "1m").replace(/\$(policy|guard)\b/g, ".*"),
      );
      if (!samples.some(({ value }) => Number.isFinite(value))) empty.push(query);
    }
    hold.release();

    expect(queries.length).toBeGreaterThan(20);
    expect(empty).toEqual([]);
  });

  it("finds the alert rules right: each fires when it is to, and only then", () => {
    const cwd = `${root}/docs/grafana`;

    expect(execFileSync("promtool", ["check", "rules", "alerts.yml"], { cwd, encoding: "utf8" })).toContain(
      "5 rules found",
    );
    expect(execFileSync("promtool", ["test", "rules", "alerts.test.yml"], { cwd, encoding: "utf8" })).toContain(
      "SUCCESS",
    );
  });

  it("has data for what each alert compares", async () => {
    const hold = guardsAtWork();
    await prometheus.lastScrape();
    const rules = readFileSync(`${root}/docs/grafana/alerts.yml`, "utf8");
    const compared = [...rules.matchAll(/expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/g)].map(([, block, line]) =>
      (block ?? line)!.trim().replace(/ [<>] [\d.]+$/, ""),
    );

    const counts = await Promise.all(compared.map(async (query) => (await prometheus.query(query)).length));
    hold.release();

    expect(compared).toHaveLength(5);
    expect(counts.map((count) => count > 0)).toEqual(Array(5).fill(true));
  });
});

/** Guards with a name, which the gauges show for as long as they are held. */
function guardsAtWork() {
  const breaker = circuitBreaker({ name: "payments" });
  const slots = bulkhead({ name: "pool", limit: 2 });
  const budget = retryBudget({ name: "orders" });
  breaker.isolate();
  return { release: () => [breaker, slots, budget].length };
}

/** Lets happen once what can be reported. */
async function someOfEverything(url: string): Promise<void> {
  const ignore = () => {};
  const fails = async (): Promise<unknown> => Promise.reject(new TypeError("busy"));
  const settled = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  // Retries with a delay, a cap and a hint; a deadline.
  await retry(fails, { name: "load", stop: stopAfterAttempt(3), wait: waitExponential({ base: 1, max: 1 }) })().catch(
    ignore,
  );
  await retry(fails, { name: "load", totalTimeout: 1, wait: waitFixed(5) })().catch(ignore);
  const answers = [new Response(null, { status: 503, headers: { "retry-after": "0.01" } }), new Response("ok")];
  await retryFetch({ fetch: async () => answers.shift()!, wait: waitNone })(url);
  // What is refused, and opens.
  const empty = retryBudget({ name: "empty", initial: 0, trickle: { upTo: 0 } });
  await retry(fails, { name: "load", budget: empty })().catch(ignore);
  const breaker = circuitBreaker({ name: "flaky", consecutiveFailures: 1 });
  await breaker.run(fails).catch(ignore);
  await breaker.run(fails).catch(ignore);
  const slots = bulkhead({ name: "queue", limit: 1, queue: 1 });
  await Promise.all([slots.run(() => settled(2)), slots.run(() => settled(1)), slots.run(fails).catch(ignore)]);
  // What comes late, what is on record, and what a fleet says.
  let settle!: () => void;
  const hangs = () => new Promise<void>((resolve) => (settle = resolve));
  await retry(hangs, { name: "late", attemptTimeout: 1, stop: stopAfterAttempt(1) })().catch(ignore);
  settle();
  await null;
  const order = idempotent(async (_: string) => "tea", { key: (key) => key, name: "orders" });
  await order("k");
  await order("k");
  observed.watcher?.emit({ type: "fleet-opened", name: "payments" });
}
