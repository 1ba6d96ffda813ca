import { type CircuitBreaker, circuitBreaker, type RetryBudget, retry, retryBudget, retryRateLimit } from "undaunted";
import { type SimulatedClient, type SimulateOptions, type SimulationResult, simulate } from "undaunted/simulation";
import { seededRandom } from "undaunted/testing";
import { fleetOf } from "../../src/fleet/index.js";
import type { FleetNews, FleetReply, FleetRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";
import { type Contender, fourAttempts } from "./contenders.js";
import { Network, type NetworkOptions } from "./network.js";
import type { Scene } from "./scenarios.js";

/** What protects a client: a breaker inside of four attempts, a budget for them, both, or a limit of `LIMIT` retries a second. */
export type Guards = "breaker" | "budget" | "both" | "limit";

export const LIMIT = 20;

/** Guards that a fleet shares, or each process's own. */
export interface Sharing {
  readonly guards: Guards;
  readonly shared: boolean;
  readonly store?: Partial<NetworkOptions> | undefined;
  readonly every?: number | undefined;
  /** Lets a client's requests go another way than to the server. */
  readonly send?: ((client: SimulatedClient) => SimulatedClient["send"]) | undefined;
}

/** What came of it, and what it cost the store. */
export interface SharedResult extends SimulationResult {
  /** Exchanges with the store in each second. */
  readonly exchanges: readonly number[];
  /** How often the store told everybody something. */
  readonly news: number;
  /** Each client's breaker. */
  readonly breakers: readonly CircuitBreaker[];
}

type FleetNetwork = Network<FleetRequest, FleetReply, FleetNews>;

// The store's time begins well above 0.
const STORE_TIME = 1e6;

/** A policy whose guards are shared, with a network anew for each run. It has chances of its own, so that the clients' are the same. */
function sharedPolicy(sharing: Sharing) {
  const { guards, shared, store = {}, every, send: sendOf = ({ send }) => send } = sharing;
  let network: FleetNetwork;
  let breakers: CircuitBreaker[] = [];
  const begin = ({ clock }: SimulatedClient) => {
    breakers = [];
    const options = { latency: 1, loss: 0, newsLoss: 0, events: [], ...store };
    network = new Network(clock, seededRandom(3), options, () => {
      const model = fleetStore();
      return { exchange: (request, now) => model.exchange(request, now + STORE_TIME) };
    });
  };
  const policy: SimulateOptions["policy"] = (client) => {
    const { clock, random, index } = client;
    if (index === 0) begin(client);
    const fleet = shared && fleetOf({ transport: network.transport(index), name: "fleet", clock, random, every });
    const share = <G extends CircuitBreaker | RetryBudget>(guard: G, key: string) =>
      fleet ? fleet.share(guard, { key }) : guard;
    let send = sendOf(client);
    if (guards === "breaker" || guards === "both") {
      const breaker = share(circuitBreaker({ clock, failureRate: 0.5 }), "breaker");
      breakers.push(breaker);
      send = breaker.wrap(send);
    }
    const budgets: Record<Guards, () => RetryBudget | undefined> = {
      breaker: () => undefined,
      budget: () => share(retryBudget({ clock }), "budget"),
      both: () => share(retryBudget({ clock }), "budget"),
      limit: () => share(retryRateLimit({ perSecond: LIMIT, clock }), "limit"),
    };
    return retry(send, { ...fourAttempts, clock, random, budget: budgets[guards](), attemptTimeout: 1_000 });
  };
  return { policy, seen: () => ({ exchanges: network.exchanges, news: network.news, breakers }) };
}

/** Plays a scene with guards as `sharing` says. */
export async function playShared(scene: Scene, sharing: Sharing, seed: number): Promise<SharedResult> {
  const { policy, seen } = sharedPolicy(sharing);
  const result = await simulate({ ...scene, seed, policy });
  const { exchanges, ...rest } = seen();
  return { ...result, ...rest, exchanges: exchanges.slice(0, result.perSecond.length) };
}

export const withSharedBudget: Contender = {
  name: "fleet.share(retryBudget())",
  policy: sharedPolicy({ guards: "budget", shared: true }).policy,
};

export const withRatedBreaker: Contender = {
  name: "circuitBreaker({ failureRate: 0.5 })",
  policy: sharedPolicy({ guards: "breaker", shared: false }).policy,
};

export const withSharedBreaker: Contender = {
  name: "fleet.share(circuitBreaker({ failureRate: 0.5 }))",
  policy: sharedPolicy({ guards: "breaker", shared: true }).policy,
};
