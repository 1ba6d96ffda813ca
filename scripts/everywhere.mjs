// Runs test/everywhere whole, on every runtime and with every tool: `npm run everywhere`. With `record` it writes what
// docs/runtimes.md prints anew. More arguments go to vitest.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const given = process.argv.slice(2);
const records = given[0] === "record";

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`${command} ${args.join(" ")}: ${error?.message ?? `exit status ${status}`}`);
    process.exit(status ?? 1);
  }
}

run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", "test/everywhere"]);
run("npm", ["run", "build"]);
run("npx", ["vitest", "run", "--project", "main", "test/everywhere", ...(records ? given.slice(1) : given)], {
  EVERYWHERE: "all",
  ...(records && { RECORD: "1" }),
});
