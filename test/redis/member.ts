// One process of a fleet, which calls with whatever outcome it is told to, and ends as it is told to.
import process from "node:process";
import { circuitBreaker, retry, retryBudget, retryRateLimit, waitNone } from "undaunted";
import { redisFleet } from "undaunted/redis";
import { connect, type Library, type Login } from "./clients.js";

export interface MemberOrder {
  readonly library: Library;
  readonly login: Login;
}

/** "close" closes the fleet and ends the clients, "leave" does no more than end the clients. */
export type Told = "up" | "down" | "close" | "leave";

export type Said =
  | { readonly state: string; readonly connected: boolean; readonly now: number }
  /** What would keep it from ending. */
  | { readonly holding: readonly string[] };

void run(JSON.parse(process.argv[2]!));

async function run({ library, login }: MemberOrder): Promise<void> {
  const { client, subscribe, end } = await connect(library, login);
  const fleet = redisFleet(client, { name: "members", subscribe, onHookError() {} });
  const say = (said: Said) => process.send!(said);
  const breaker = circuitBreaker({
    failureRate: 0.5,
    onStateChange: ({ to }) => say({ state: to, connected: breaker.stats.fleet!.connected, now: Date.now() }),
  });
  fleet.share(breaker, { key: "server" });
  const budget = fleet.share(retryBudget(), { key: "server" });
  const limit = fleet.share(retryRateLimit({ perSecond: 5 }), { key: "server" });
  await fleet.ready();
  let timer: NodeJS.Timeout | undefined;
  const call = (outcome: Told) => {
    const task = async () => {
      if (outcome === "down") throw new Error("down");
    };
    breaker.run(task).catch(() => {});
    for (const each of [budget, limit]) retry(task, { budget: each, wait: waitNone })().catch(() => {});
  };
  process.on("message", async (told: Told) => {
    clearInterval(timer);
    if (told === "up" || told === "down") {
      timer = setInterval(call, 20, told);
      return;
    }
    if (told === "close") await fleet.close();
    // Before the clients end: ioredis sets timers of its own for that.
    const holding = process.getActiveResourcesInfo();
    end();
    say({ holding });
    process.disconnect();
  });
  say({ state: breaker.state, connected: breaker.stats.fleet!.connected, now: Date.now() });
}
