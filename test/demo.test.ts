import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { PATIENCE } from "./limits.js";

const scripted = [
  ["Busy server", 3, "returns Ada Lovelace"],
  ["Connection reset", 2, "returns Ada Lovelace"],
  ["Hanging answer", 2, "returns Ada Lovelace"],
  ["Too many requests", 2, "returns Ada Lovelace"],
  ["Not found", 1, "throws HttpError: 404 Not Found"],
  ["Deadline and fallback", 2, "returns Ada, from the cache"],
  ["Cancelled", 1, "throws Error: the user left the page"],
  ["Circuit breaker", 4, "returns Ada Lovelace"],
  ["HTTP client", 3, "returns Ada Lovelace"],
  ["Decorated method", 3, "returns Ada Lovelace"],
  ["Sync method", 3, "returns this process holds the lock"],
] as const;

const temp = mkdtempSync(join(tmpdir(), "undaunted-demo-test-"));
afterAll(() => rmSync(temp, { recursive: true }));

let output: string;
let exitCode: number;

beforeAll(async () => {
  // What `npm run demo -- --fast` runs, without npm, which would leave a demo that hangs running.
  const [, ...args] = manifest.scripts.demo.split(" ");
  const tsx = createRequire(import.meta.url).resolve("tsx/cli");
  const child = spawn(process.execPath, [tsx, ...args, "--fast"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, TMPDIR: temp, TEMP: temp, TMP: temp },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: PATIENCE,
  });
  [output, [exitCode]] = await Promise.all([text(child.stdout), once(child, "close") as Promise<[number]>]);
});

it("the demo ends by itself, in success", () => {
  expect(exitCode).toBe(0);
});

it("announces every scenario, numbered, with a line that says what is shown", () => {
  const headings = [...output.matchAll(/^(\d+)\. (.+)\n {3}\S.+\.$/gm)].map(([, number, title]) => [number, title]);

  expect(headings).toEqual(scripted.map(([title], index) => [String(index + 1), title]));
});

it("sums up the attempts and the result of every scenario as the server's script has them", () => {
  const [, summary = ""] = output.split(/^ +Scenario +Attempts +Slept +Result$/m);
  const rows = [...summary.matchAll(/^ {3}(\S.*?) +(\d+) +\d+ ms +(.+)$/gm)];

  expect(rows.map(([, title, attempts, result]) => [title, Number(attempts), result])).toEqual(scripted);
});

it("shows every attempt on a line of its own, with what became of it", () => {
  const sections = output.split(/^\d+\. /m).slice(1);
  const attempts = sections.map((section) => section.match(/^ {3}attempt \d .*(ok|next in \d+ ms|gives up: .+)$/gm));

  expect(attempts.map((lines) => lines?.length)).toEqual(scripted.map(([, count]) => count));
});

it("names the error of a failed attempt, with the code that fetch hides in its cause", () => {
  expect(output).toMatch(/attempt 1 +HttpError: 503 Service Unavailable +next in/);
  expect(output).toMatch(/attempt 1 +TypeError: fetch failed \((ECONNRESET|UND_ERR_SOCKET)\) +next in/);
});

it("shows how a circuit opens and closes again", () => {
  const changes = [...output.matchAll(/the circuit goes from (.+)$/gm)].map(([, change]) => change);

  expect(changes).toEqual(["closed to open", "open to half-open", "half-open to closed"]);
});

it("writes plain text of at most 100 columns where it is not written to a terminal", () => {
  expect(output).not.toContain("\x1b");
  expect(Math.max(...output.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

it("leaves no file behind", () => {
  expect(readdirSync(temp).filter((entry) => entry.startsWith("undaunted-"))).toEqual([]);
});
