import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { handLoop, handTimeout } from "./contenders/hand-loop.mjs";
import { contenders } from "./contenders/index.mjs";

const titleOf = (id) => contenders.find((each) => each.id === id)?.title ?? id;

const number = (value, digits = 2) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// Four digits say all that there is to say, of 0.83 and of 12,340.
const digitsFor = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** The median, and half of the distance between the quartiles. */
function cell(summary, digits) {
  if (!summary) return "";
  const { median, low, high, rounds } = summary;
  const shown = digits ?? digitsFor(median);
  return rounds > 1 ? `${number(median, shown)} ±${number((high - low) / 2, shown)}` : number(median, shown);
}

/** A task's results as a grid of strings, its header first. */
function gridOf({ task, rows }) {
  const columns = task.transposed ? [{ key: "value", title: task.transposed }] : task.columns;
  const grid = [["", ...columns.map(({ title }) => title)]];
  for (const [name, { values, failed }] of rows) {
    const cells = failed ? columns.map(() => "–") : columns.map(({ key, digits }) => cell(values[key], digits));
    grid.push([titleOf(name), ...cells]);
  }
  return grid;
}

const isNumeric = (column) => column > 0;

function text(grid) {
  const widths = grid[0].map((_, column) => Math.max(...grid.map((row) => row[column].length)));
  const line = (row) =>
    row
      .map((each, column) => (isNumeric(column) ? each.padStart(widths[column]) : each.padEnd(widths[column])))
      .join("  ");
  return grid.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}

function markdown([header, ...rows]) {
  const rule = header.map((_, column) => (isNumeric(column) ? "--:" : ":--"));
  return [header, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

export const textOf = (result) => `${result.task.title}\n${text(gridOf(result))}`;

/** What undaunted is asked for, beside what was measured. */
function targetGrid(results) {
  const grid = [["undaunted", "target", "measured", ""]];
  for (const { task, rows } of results) {
    for (const { contender, key, max, unit, what } of task.targets) {
      const summary = rows.get(contender)?.values?.[key];
      if (!summary) continue;
      const suffix = unit ?? (key === "over" ? "ns" : "");
      const column = task.columns.find((each) => each.key === key);
      grid.push([
        what ? `${task.title}: ${what}` : task.title,
        `≤ ${max.toLocaleString("en")} ${suffix}`.trim(),
        `${cell(summary, column?.digits)} ${suffix}`.trim(),
        verdict(summary, max),
      ]);
    }
  }
  return grid;
}

// Where the target lies between the quartiles, another run may well say the opposite.
function verdict({ median, low, high }, max) {
  const sure = high <= max || low > max;
  return `${median <= max ? "met" : "missed"}${sure ? "" : ", within the noise"}`;
}

// Why a target is hard, shown where it is missed. What is said here stands in the tables, or in the decision that is named.
const WHY = {
  "stack-100": "Within the noise: whole runs of the same code gave 1.06 to 1.23.",
  success:
    "Within the noise: nine processes, each warm for a second or two, gave 0.91 to 0.95. A program that bundles its packages saves two hundredths.",
  "own-retry-if":
    "Within the noise: nine processes, each warm for a second or two, gave 0.90 to 0.96. A program that bundles its packages saves two hundredths.",
  "own-retry-if-state":
    "The predicate may look at `elapsed`, so the clock is read twice: see *one reading of the clock*. What is left is some 1.2.",
  "on-success":
    "The hook may look at `elapsed`, so the clock is read twice: see *one reading of the clock*. What is left is some 1.2.",
  run:
    'A block is a new closure for each call and gets a context of its own, which the limit makes neither of; "fastest by hand" makes the closure. ' +
    "The block is also checked, and its options looked up, with each call. Before blocks had contexts of their own it was 0.93 in the same minutes.",
  "failures-own":
    "The caller stays in the stack of what a later attempt throws (decision 1): each attempt begins and ends under a `then` that leads there. " +
    "It has a context of its own, its error is asked whether it is an abort or was given up on before, and what follows is decided on a state of twelve fields: " +
    "some 110 ns a retry, where the limit only counts. Before contexts, and before aborts were told from failures, it was 1.00 in the same minutes.",
  "sync-success":
    "An absolute time: the code that took 3.9 ns when this target was set takes 7 beside 8 of today's in the same minutes.",
  "concurrent-100k":
    "Mostly garbage collection, and three runs of some seconds: the limit against itself gave 0.94 to 1.09. " +
    "A call that has failed is an object of twelve fields beside its promise, which the limit keeps in a suspended function.",
  breaker:
    "The breaker learns how a call ended from its promise, so it makes one more: that alone is half of it. The rest is a permit that is counted when it is given and when it comes back.",
  http: "An absolute time, and in some minutes all code takes twice as long on this machine, the stand-in alone 400 or 1,100 ns. In the quick ones it is 2,200 to 2,800.",
  "memory-pending":
    "The call, its first attempt, its place among the timeouts and its gate are one object and a promise. A field less is eight bytes less.",
  "signal-10k":
    "Absolute times, and most of them garbage collection: within an hour medians of 80 to 140 ms and of 20 to 40 ms were seen on this machine. " +
    "The limit takes several times as long to schedule, and longer to cancel.",
  bytes:
    "What was wanted before calls that can be ended from outside cost half of a timeout written by hand, and before mistakes said " +
    "what was meant: see *what each step added to a bundle*, *what { retry } weighs less without a file* and decision 36.",
};

function whyOf(results) {
  const missed = results.filter(({ task, rows }) =>
    task.targets.some(({ contender, key, max }) => rows.get(contender)?.values?.[key]?.median > max),
  );
  return missed.map(({ task }) => `- **${task.title}**: ${WHY[task.name] ?? "not looked into."}`).join("\n");
}

export const targetsOf = (results) => text(targetGrid(results));

// Why a contender has no number for something.
const LACKS = {
  "hand-loop": "has none of this: it is the limit",
  fastest: "has none of this",
  "p-retry": "takes neither a delay function, nor a success hook, nor a timeout; does not decorate",
  "async-retry": "takes only a retry hook",
  cockatiel: "has no stop of one's own and no budget",
  "exponential-backoff": "has a `retry` that is its stop, its predicate and its hook, and nothing else",
  attempt: "has no success hook, no signal and no budget; does not decorate",
  effect: "stops by its schedule; has no budget; does not decorate",
  "typescript-retry-decorator": "takes a predicate; has no hooks, no signal and no timeout",
};

/** All ratios in one table: a task a row, a contender a column. */
function matrixOf(results) {
  const found = results.filter(({ task }) => task.matrix);
  const ids = contenders.map(({ id }) => id).filter((id) => found.some(({ rows }) => rows.has(id)));
  const notes = new Map();
  const note = (id) => {
    if (!notes.has(id)) notes.set(id, notes.size + 1);
    return notes.get(id);
  };
  const rows = found.map(({ task, rows }) => [
    task.title,
    cell(rows.get("undaunted").values.limit, 0),
    ...ids.map((id) => {
      const ratio = rows.get(id)?.values?.ratio;
      return ratio ? cell(ratio, digitsFor(ratio.median)) : `–<sup>${note(id)}</sup>`;
    }),
  ]);
  const footnotes = [...notes].map(([id, place]) => `<sup>${place}</sup> ${titleOf(id)} ${LACKS[id]}.`);
  return `${markdown([["", "the limit, ns/call", ...ids.map(titleOf)], ...rows])}\n\n${footnotes.join("\\\n")}`;
}

function sectionOf(result) {
  const { task, rows } = result;
  const unfinished = [...rows].filter(([, { failed }]) => failed).map(([id]) => titleOf(id));
  const notes = [
    task.note?.(rows),
    ...(unfinished.length > 0
      ? [`– did not finish within ${(task.timeout ?? 0) / 1000} s or its memory: ${unfinished.join(", ")}.`]
      : []),
  ];
  return [`### ${capitalised(task.title)}`, markdown(gridOf(result)), ...notes.filter(Boolean)].join("\n\n");
}

const capitalised = (title) => title[0].toUpperCase() + title.slice(1);

async function versions() {
  const listed = await Promise.all(
    contenders.map(async (contender) => {
      const manifest = contender.package
        ? new URL(`node_modules/${contender.package}/package.json`, import.meta.url)
        : contender.id === "undaunted" && new URL("../package.json", import.meta.url);
      return manifest && `${contender.title} ${JSON.parse(await readFile(manifest, "utf8")).version}`;
    }),
  );
  return listed.filter(Boolean).join(", ");
}

/** The peers of which another version is measured on the newer Node. */
async function newestVersions() {
  const { dependencies } = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));
  return Object.entries(dependencies)
    .filter(([name]) => name.endsWith("-newest"))
    .map(([, alias]) => alias.replace(/^npm:(.+)@/, "$1 "))
    .join(", ");
}

/** docs/performance.md. */
export async function pageOf(results, load) {
  const { node, v8 } = process.versions;
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0].model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB`;
  const inProduction = results.filter(({ task }) => task.limit === "timeout");
  const others = results.filter((result) => !result.task.matrix && !inProduction.includes(result));
  return `# Performance

Written by \`npm run bench\`, never by hand. Numbers of one machine: compare them with each other, not with those of another.

- Date: ${date}
- Machine: ${machine}, ${process.platform} ${process.arch}; Node ${node} (V8 ${v8})
- Load average before the run, which should be near 0: ${number(load, 1)}
- Versions: ${await versions()}. Each peer in the last version that runs on Node 20; in what
  is measured on Node 24 in the newest: ${await newestVersions()}.

## What does it cost in production?

The recommended stack is \`retry(slots.wrap(breaker.wrap(fn)), { attemptTimeout, totalTimeout, budget })\`. Beside it: cockatiel's
\`wrap(retry, bulkhead, breaker, timeout)\`, opossum (with its timeout and capacity) inside p-retry, and effect's retry, semaphore and
timeout, which has no breaker. All are held against what one writes by hand for a timeout alone:

\`\`\`js
const handTimeout = ${handTimeout};
\`\`\`

![CPU per call of the stack, as multiples of a hand-written timeout](performance.svg)

${inProduction.map(sectionOf).join("\n\n")}

## Targets

${markdown(targetGrid(results))}

Those that are missed, and why. What leaving something out would save was measured once, by taking it out of the build:

${whyOf(results)}

## The limit

A loop written by hand, which does nothing but try again:

\`\`\`js
const handLoop = ${handLoop};
\`\`\`

"Fastest by hand" is the least that can be done: \`fn(...args).then(undefined, again)\`, where \`again\` is that loop; with a
signal, a promise that its listener rejects.

## Calls, as multiples of the limit's CPU time

${matrixOf(results)}

Calls follow each other, each awaited. Where one needs several attempts, the error is made once: a fresh stack would cost
more than most of what is measured. "Less what throwing costs": their function throws nothing, but returns promises that
were rejected beforehand. "Of a function that awaits": three times, so that the listener comes and goes, which a call that is
over at once is spared. For a delay of 0, async-retry, cockatiel, exponential-backoff and effect begin a timer or a
turn of the event loop, which is most of what they cost there.

${others.map(sectionOf).join("\n\n")}

## How it was measured

- A child process for each contender and task. Rounds are interleaved: each contender's first, then each one's second, …
- Of the calls: in each round the process runs a section of the contender and one of the limit, which of them first changes
  with the round. The ratio is taken within the round. A section is about 50 ms of CPU, after a warm-up of 250 ms.
  Three processes share the rounds, since what V8 makes of the code is settled anew in each.
- CPU is that of the whole process (\`process.cpuUsage\`): compiling and collecting garbage in other threads included.
- Shown is the median of the rounds ± half of the distance between the quartiles. The limit against itself, which should be
  1.00, shows what the machine's noise does to a ratio.
- Every section is checked: how often the function was called, and the sum of what came back. A wrong one ends the run.
- Memory: \`heapUsed\` and \`rss\` after a garbage collection, with the calls asleep for an hour, less what they were before, a
  process for each round.
- Sleepers on one signal: "schedule" is from the first call until all of them sleep, "cancel" from \`abort()\` until every
  call has rejected with the signal's reason (effect's with an interruption of its own). The process has made 3,000 such calls before. Contenders whose sleep does not end
  with a signal are left out.
- Concurrent calls begin 1,000 in a turn of the event loop. The lag is that of \`monitorEventLoopDelay\`, less its resolution.
- Bytes: bundled and minified by esbuild; gzip at level 9; 1 kB is 1,000 B. "More" is what the second name adds to the first.
`;
}

const BAR = 26;
const LEFT = 190;
const WIDTH = 720;

/** A bar for each contender at the recommended stack, on a logarithmic scale: docs/performance.svg. */
export function chartOf(results) {
  const rows = results
    .filter(({ task }) => task.shape === "stack" && !task.newer)
    .flatMap(({ task, rows }) =>
      [...rows].map(([id, { values }]) => ({
        label: `${titleOf(id)}${task.flight ? ", 100 in flight" : ""}`,
        ratio: values.ratio?.median,
      })),
    )
    .filter(({ ratio }) => ratio > 0);
  const most = Math.max(...rows.map(({ ratio }) => ratio));
  const place = (ratio) => LEFT + ((Math.log10(ratio) + 1) / (Math.log10(most) + 1)) * (WIDTH - LEFT - 60);
  const bars = rows.map(({ label, ratio }, index) => {
    const y = 34 + index * BAR;
    return [
      `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${label}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${(place(ratio) - LEFT).toFixed(1)}" height="18" class="${label.startsWith("undaunted") ? "ours" : "peer"}"/>`,
      `<text x="${(place(ratio) + 6).toFixed(1)}" y="${y + 14}">${number(ratio, digitsFor(ratio))}</text>`,
    ].join("\n  ");
  });
  const one = place(1).toFixed(1);
  const height = 44 + rows.length * BAR;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img" aria-labelledby="title desc">
  <title id="title">CPU per call of the recommended stack</title>
  <desc id="desc">As multiples of a timeout written by hand, on a logarithmic scale: calls one by one, and 100 in flight.</desc>
  <style>
    text { fill: #24292f } .ours { fill: #1a7f37 } .peer { fill: #8c959f } line { stroke: #57606a; stroke-dasharray: 3 3 }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .peer { fill: #6e7681 } line { stroke: #9198a1 } }
  </style>
  <text x="${one}" y="16" text-anchor="middle">a timeout by hand</text>
  <line x1="${one}" y1="22" x2="${one}" y2="${height - 8}"/>
  ${bars.join("\n  ")}
</svg>
`;
}
