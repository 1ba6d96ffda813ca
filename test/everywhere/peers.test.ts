import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";
import { env, here, missing, named, node, root } from "./project.js";

const exec = promisify(execFile);

describe.skipIf(missing)(named("docs/comparison.md"), () => {
  it("tells the truth about the newest peers there are, on Node 24", async () => {
    const args = [`${root}node_modules/vitest/vitest.mjs`, "run", "--root", root, "--config", `${here}peers.config.ts`];
    const options = { cwd: root, env: { ...env, NEWEST_PEERS: "1" }, timeout: PATIENCE };

    const printed = await exec(node(24), args, options).then(
      ({ stdout }) => stdout,
      (error) => `${error.stdout}\n${error.stderr}`,
    );

    expect(printed).toMatch(/Test Files +2 passed \(2\)/);
  });
});
