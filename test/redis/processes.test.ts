import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { named } from "../idempotency/kinds-of-store.js";
import { type Redis, startRedis, whatIsMissing } from "../transient/servers/index.js";
import { LIBRARIES } from "./clients.js";
import type { MemberOrder, Said } from "./member.js";
import { Process, programOf } from "./program.js";

const missing = whatIsMissing("redis");
const HOUR = 3_600_000;

describe.skipIf(missing)(named("real processes of a fleet", missing), () => {
  let redis: Redis;
  let program: Awaited<ReturnType<typeof programOf>>;

  beforeAll(async () => {
    redis = await startRedis();
    program = await programOf(new URL("member.ts", import.meta.url));
  });

  beforeEach(async () => {
    await redis.ask("FLUSHALL");
  });

  afterAll(async () => {
    program?.delete();
    await redis?.close();
  });

  async function start(library: MemberOrder["library"], env: NodeJS.ProcessEnv = {}): Promise<Process<Said>> {
    const order: MemberOrder = { library, login: redis.connection };
    const execArgv = ["--require", fileURLToPath(new URL("shifted-clock.cjs", import.meta.url))];
    const process = await Process.start<Said>(program.file, order, {
      execArgv,
      env: { ...globalThis.process.env, ...env },
    });
    onTestFinished(() => process.kill());
    return process;
  }

  /** Waits until it says that it is in a state. */
  async function becomes(process: Process<Said>, state: string): Promise<Said> {
    for (;;) {
      const said = await process.next();
      if ("state" in said && said.state === state) return said;
    }
  }

  async function leaves(process: Process<Said>, how: "close" | "leave"): Promise<readonly string[]> {
    process.tell(how);
    for (;;) {
      const said = await process.next();
      if ("holding" in said) return said.holding;
    }
  }

  it("open and close together with clocks an hour before and after Redis' own", async () => {
    const shifts = [-HOUR, 0, HOUR];
    const processes = await Promise.all(shifts.map((ms) => start("ioredis", { SHIFTED_BY: String(ms) })));
    const all = (state: string) => Promise.all(processes.map((each) => becomes(each, state)));

    for (const each of processes) each.tell("down");
    const opened = await all("open");
    for (const each of processes) each.tell("up");
    const closed = await all("closed");

    expect([...opened, ...closed].map((said) => "connected" in said && said.connected)).toEqual(Array(6).fill(true));
    // They were an hour apart indeed.
    const [early, , late] = opened.map((said) => ("now" in said ? said.now : 0));
    expect(late! - early!).toBeGreaterThan(HOUR);
  });

  it.each(LIBRARIES.flatMap((library) => (["close", "leave"] as const).map((how) => [library, how] as const)))(
    "exit by themselves, held by no timer of the fleet's, once their clients of %s have ended (%s)",
    async (library, how) => {
      const member = await start(library);
      member.tell("down");
      await becomes(member, "open");

      const holding = await leaves(member, how);

      expect(holding.filter((what) => what === "Timeout")).toEqual([]);
      expect(await member.ended()).toBe(0);
    },
  );
});
