import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Each room of `src`, and the rooms that it may import from. `.` is `src` itself: the ways in. */
const ROOMS: Record<string, readonly string[]> = {
  common: [],
  strategies: ["common"],
  loop: ["common", "strategies"],
  budget: ["common"],
  circuit: ["common"],
  bulkhead: ["common"],
  hints: ["common"],
  fleet: ["common", "budget", "circuit"],
  redis: ["common", "fleet"],
  durable: ["common", "strategies", "loop"],
  bullmq: ["common", "loop", "durable"],
  "pg-boss": ["common", "loop", "durable"],
  "graphile-worker": ["common", "durable"],
  ".": ["common", "strategies", "loop", "budget", "circuit", "bulkhead"],
  // Its way in hands on retryTransaction, which needs the loop: a room of its own, so that no table does.
  transient: ["common", "strategies", "transaction"],
  transaction: ["common", "strategies", "transient", "."],
  // A program, and a user of the package: it imports the ways in by their names.
  cli: [],
  testing: ["common", "strategies"],
  http: ["common", "hints", "loop", "strategies", "budget", "transient"],
  axios: ["common", "http", "hints"],
  iterable: ["common", "loop"],
  policy: ["common", "loop", "strategies", "transient"],
  node: ["common"],
  otel: ["common"],
  idempotency: ["common", "loop", "strategies", "transient", "redis", "."],
  server: ["common", "hints", "idempotency"],
  simulation: ["common", "testing", "."],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const roomOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : ".");

it.each(files)("%s imports only from the rooms that its own may import from", (file) => {
  const text = readFileSync(join(src, file), "utf8");
  const imported = [...text.matchAll(/\bfrom "(\.[^"]+)\.js"/g)].map(([, path]) =>
    relative(src, normalize(join(src, dirname(file), path!))),
  );

  const rooms = new Set(imported.map(roomOf));
  rooms.delete(roomOf(file));

  expect(ROOMS[roomOf(file)]).toEqual(expect.arrayContaining([...rooms]));
});

it("a room stands in the table, and the table's rooms stand in src", () => {
  const folders = readdirSync(src).filter((name) => statSync(join(src, name)).isDirectory());

  expect(Object.keys(ROOMS).sort()).toEqual([...folders, "."].sort());
});

it("each room has its row in CONTRIBUTING.md, which names files and tests that there are", () => {
  const root = join(src, "..");
  const rows = [...readFileSync(join(root, "CONTRIBUTING.md"), "utf8").matchAll(/^\| `src\/([\w-]*)\/?`.*$/gm)];

  const files = rows.flatMap(([row, room]) => {
    const [, , , first, tests] = row!
      .split("|")
      .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
    return [...first!.map((name) => join("src", room!, name)), ...tests!.map((path) => path.replace(/[^/]*\*.*$/, ""))];
  });

  expect(rows.map(([, room]) => room || ".").sort()).toEqual(Object.keys(ROOMS).sort());
  expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  expect(files.length).toBeGreaterThanOrEqual(2 * rows.length);
});
