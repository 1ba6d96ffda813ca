import { readFileSync } from "node:fs";

/** What is to be known of an engine beside its policy. */
export interface Traits {
  readonly name: string;
  /** What a version is of. */
  readonly package: string;
  /** What holds a retry until it is due. */
  readonly retryIs: string;
  /** When an attempt that is due begins. */
  readonly begins: string;
  /** When an attempt is made again whose process was killed. */
  readonly takenUp: string;
  /** What bounds the processes that one attempt may kill. */
  readonly bound: string;
  readonly cannot: readonly string[];
}

export const BULLMQ: Traits = {
  name: "BullMQ",
  package: "bullmq",
  retryIs: "the job, delayed",
  begins: "at once",
  takenUp: "after `lockDuration` and the next check for stalled jobs",
  bound: "`maxStalledCount`",
  cannot: [
    "ask about a job with one attempt, or a worker without our `settings`: such a job is moved by its processor, and no `failed` is emitted for the attempts between",
    "keep more than message and `code` of an error from a sandboxed processor",
  ],
};

export const PG_BOSS: Traits = {
  name: "pg-boss",
  package: "pg-boss",
  retryIs: "the same job",
  begins: "at its next poll, half a second at most (`pollingIntervalSeconds`)",
  takenUp: "when `expireInSeconds` or the heartbeat is over, and a supervisor has looked",
  bound: "`retryLimit`, which must be above 0",
  cannot: ["say when a job was due first, once a worker has died of its first attempt: `createdOn` stands in"],
};

export const GRAPHILE: Traits = {
  name: "graphile-worker",
  package: "graphile-worker",
  retryIs: "a new job under the same `jobKey`",
  begins: "at its next poll (`pollInterval`)",
  takenUp: "after `forceUnlockWorkers`, or four hours",
  bound: "`max_attempts`",
  cannot: [
    "replace a job without a `jobKey` when its process dies at the wrong moment of its first retry, or fail it in its first attempt",
    "say when a job was due first, once a worker has died of its first attempt: `created_at` stands in",
  ],
};

export const RESTATE: Traits = {
  name: "Restate",
  package: "@restatedev/restate-sdk",
  retryIs: "a recorded sleep",
  begins: "at once",
  takenUp: "as soon as an endpoint is there again",
  bound: "the server's retry policy for invocations",
  cannot: [
    "end a workflow in a plain error: it calls the handler again, so the last error must be a `TerminalError`",
    "interrupt an attempt when the invocation is cancelled: the cancellation is heard in the next sleep",
  ],
};

export const DBOS: Traits = {
  name: "DBOS",
  package: "@dbos-inc/dbos-sdk",
  retryIs: "a recorded sleep",
  begins: "at once",
  takenUp: "when a process with the same executor's id is launched",
  bound: "`maxRecoveryAttempts`",
  cannot: ["interrupt an attempt when the workflow is cancelled: the cancellation is heard at the next step"],
};

const { devDependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

/** The table of docs/durable.md. */
export function table(): string {
  const rows = [BULLMQ, PG_BOSS, GRAPHILE, RESTATE, DBOS].map((each) => [
    `${each.name} ${devDependencies[each.package]}`,
    each.retryIs,
    each.begins,
    each.takenUp,
    each.bound,
    each.cannot.join("; "),
  ]);
  const head = [
    "engine",
    "a retry is",
    "an attempt that is due begins",
    "a killed attempt is made again",
    "what kills its process is bounded by",
    "it cannot",
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
