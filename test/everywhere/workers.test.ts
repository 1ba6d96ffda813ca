import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";
import { env, here, makeProject, missing, named, node } from "./project.js";

// What docs/runtimes.md says of a bulkhead that the requests of a Cloudflare worker share. At the end of each story stand
// the slots in use and the calls in the queue.

const exec = promisify(execFile);
const BEFORE = "2022-11-01";
const SINCE = "2024-10-14";

describe.skipIf(missing)(named("a bulkhead at the top of a worker's module"), () => {
  const told: Record<string, Record<string, unknown>> = {};
  let project: string;

  beforeAll(async () => {
    project = await makeProject();
    const driver = join(here, "drivers/contexts.mjs");
    for (const date of [BEFORE, SINCE]) {
      const { stdout } = await exec(node(24), [driver, project, date], { env, timeout: PATIENCE });
      told[date] = JSON.parse(stdout);
    }
  });

  afterAll(async () => {
    if (project) await rm(project, { recursive: true, force: true });
  });

  it("gives a request the slot of another one where it has a maxWait", () => {
    expect(told[SINCE]!.queuedWithMaxWait).toEqual(["let go", "ok", [0, 0]]);
  });

  it("loses a slot to a request that waits for nothing of its own, as the runtime cancels it", () => {
    expect(told[SINCE]!.queued).toEqual(["let go", "cancelled by the runtime", [1, 0]]);
  });

  it("gives no request the slot of another one before 2024-10-14", () => {
    expect(told[BEFORE]!.queuedWithMaxWait).toEqual(["let go", "cancelled by the runtime", [0, 0]]);
  });

  it.each([BEFORE, SINCE])("gets the slot of a cancelled request back where that waits until it ends (%s)", (date) => {
    expect(told[date]!.leftWithWaitUntil).toEqual(["left", [0, 0]]);
  });

  it.each([BEFORE, SINCE])("loses the slot of a request that is cancelled and does not wait (%s)", (date) => {
    expect(told[date]!.left).toEqual(["left", [1, 0]]);
  });
});
