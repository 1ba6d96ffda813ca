import { type RetryOptions, retryBudget, stopAfterAttempt, waitFullJitter } from "undaunted";
import type { OutageKind, SimulatedClient, SimulationResult } from "undaunted/simulation";
import { type Io, UsageFault } from "./io.js";
import { optionsOf, policyData, withoutRefs } from "./policy-argument.js";
import { spanOf, tableOf } from "./table.js";

const OUTAGES = ["blackhole", "refused", "slow", "failing", "none"];

type Flags = { [name in "clients" | "rate" | "outage" | "lasts" | "capacity" | "seed"]?: string } & { json?: boolean };

/** What stands for a reference that a policy names: each client has one of its own, on the simulation's clock. */
const BUILT_IN = "retryBudget";

/** Plays a fleet in an outage under a policy, beside no retries and four attempts. */
export async function simulate(argument: string | undefined, flags: Flags, io: Io): Promise<number> {
  const number = (name: keyof Flags, usual: number): number => {
    const given = flags[name] === undefined ? usual : Number(flags[name]);
    if (!(given > 0)) throw new UsageFault(`--${name} must be a number above 0, got ${flags[name]}`);
    return given;
  };
  const { outage = "blackhole" } = flags;
  if (!OUTAGES.includes(outage)) throw new UsageFault(`--outage must be one of ${OUTAGES.join(", ")}, got ${outage}`);
  const { data, leftOut } = withoutRefs(await policyData(argument, io), [BUILT_IN]);
  const yours = ({ clock }: SimulatedClient) => {
    const { clock: _, random: __, signal: ___, ...options } = optionsOf(data, { [BUILT_IN]: retryBudget({ clock }) });
    return options;
  };
  optionsOf(data, { [BUILT_IN]: retryBudget() });
  const four = { stop: stopAfterAttempt(4), wait: waitFullJitter({ base: 500, max: 20_000 }) };
  const policies: [name: string, policy: (client: SimulatedClient) => RetryOptions][] = [
    ["no retries", () => ({ stop: stopAfterAttempt(1) })],
    ["4 attempts", () => four],
    ["your policy", yours],
    [
      "your policy, with retryBudget()",
      (client) => ({ ...yours(client), budget: retryBudget({ clock: client.clock }) }),
    ],
  ];
  const fleet = {
    clients: number("clients", 20),
    rate: number("rate", 10),
    server: { capacity: number("capacity", 1.2) },
    seed: number("seed", 1),
    ...(outage === "none" ? {} : { outage: { kind: outage as OutageKind, lasts: number("lasts", 30) * 1_000 } }),
  };
  // Loaded here: no other command needs it.
  const simulation = await import("undaunted/simulation");
  const results: (Omit<SimulationResult, "perSecond"> & { policy: string })[] = [];
  for (const [name, policy] of policies) {
    const { perSecond: _, ...result } = await simulation.simulate({ ...fleet, policy }).catch(asUsage);
    results.push({ policy: name, ...result });
  }
  if (flags.json) io.out(JSON.stringify(results, (_, value) => (value === Infinity ? null : value), 2));
  else {
    const head = ["", "load", "peak after", "recovery", "success"];
    io.out(tableOf([head, ...results.map(cells)]));
    io.out(LEGEND);
  }
  if (leftOut.length > 0) io.err(`left out, since only a program has them: ${leftOut.join(", ")}`);
  return 0;
}

/** A number that is no fleet's is a mistake in the command. */
function asUsage(error: unknown): never {
  if (error instanceof RangeError) throw new UsageFault(error.message.replace(/^simulate(?:'s \w+)?: /, "--"));
  throw error;
}

const LEGEND = `
load: requests per call that was due, during the outage. peak: the busiest second after it, in normal loads.
recovery: until 99 % of first attempts succeed again, ∞ for not within a minute. success: of all calls.`;

function cells({
  policy,
  load,
  peak,
  recovery,
  success,
}: Omit<SimulationResult, "perSecond"> & { policy: string }): string[] {
  return [policy, load.toFixed(2), peak.toFixed(2), spanOf(recovery), `${(success * 100).toFixed(1)} %`];
}
