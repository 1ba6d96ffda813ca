import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const isMissing = (program: string) => spawnSync(program, ["--version"]).error !== undefined;

/** Why the tests with Prometheus are skipped, if they are. */
export const whyNoPrometheus =
  isMissing("prometheus") || isMissing("promtool")
    ? "Prometheus is not installed; `apt-get install -y prometheus` installs it"
    : undefined;

/** What a query gave: labels and a value each. */
export interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

export type Prometheus = Awaited<ReturnType<typeof startPrometheus>>;

/** Starts Debian's Prometheus on a folder of its own; it scrapes what `metrics` serves, twice a second. */
export async function startPrometheus(metrics: RequestListener) {
  let heard: (() => void)[] = [];
  const target = createServer((request, response) => {
    for (const each of heard.splice(0)) each();
    metrics(request, response);
  });
  const targetPort = await listening(target);
  const folder = mkdtempSync(join(tmpdir(), "undaunted-prometheus-"));
  const config = {
    global: { scrape_interval: "500ms", scrape_timeout: "500ms" },
    scrape_configs: [{ job_name: "service", static_configs: [{ targets: [`127.0.0.1:${targetPort}`] }] }],
  };
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
  const port = await freePort();
  const process = spawn("prometheus", [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const lines = createInterface(process.stderr);
  const log: string[] = [];
  await new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => {
      log.push(line);
      if (line.includes("Server is ready to receive web requests")) resolve();
    });
    process.once("exit", (code) => reject(new Error(`prometheus ended with ${code}: ${log.slice(-5).join("\n")}`)));
  });
  const nextScrape = () => new Promise<void>((resolve) => heard.push(resolve));

  /** The result of a query as of now. */
  const query = async (text: string): Promise<Sample[]> => {
    const body = new URLSearchParams({ query: text });
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query`, { method: "POST", body });
    const { status, data, error } = (await answer.json()) as QueryAnswer;
    if (status !== "success") throw new Error(`${text}: ${error}`);
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  };

  return {
    query,
    /** Waits until what is measured now has been scraped and stored: a scrape begins when the one before is stored. */
    async lastScrape(): Promise<void> {
      do {
        await nextScrape();
        await nextScrape();
        // One that took too long on a busy machine counts for nothing.
      } while ((await query("up"))[0]?.value !== 1);
    },
    async close(): Promise<void> {
      heard = [];
      process.removeAllListeners("exit");
      const ended = once(process, "exit");
      process.kill("SIGTERM");
      await ended;
      target.closeAllConnections();
      target.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: { readonly metric: Record<string, string>; readonly value: [number, string] }[] };
}

/** Listens on a free port of the loopback interface, and returns it. */
export async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
