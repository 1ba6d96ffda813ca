import { type OutageKind, type SimulationResult, simulate } from "undaunted/simulation";
import { noRetries } from "./contenders.js";
import type { NetworkOptions } from "./network.js";
import type { Scene } from "./scenarios.js";
import { type Guards, playShared, type SharedResult } from "./shared.js";

/** A fleet's size: clients, and calls a second of each. */
export interface Size {
  readonly name: string;
  readonly clients: number;
  readonly rate: number;
}

/** The fleets of the table in the design. */
export const SIZES: readonly Size[] = [
  { name: "10,000 × 0.1", clients: 10_000, rate: 0.1 },
  { name: "1,000 × 1", clients: 1_000, rate: 1 },
  { name: "20 × 10", clients: 20, rate: 10 },
];

/** A run, and what it is compared to: the same without retries, or with own guards, where its target says so. */
interface Runs {
  readonly run: SharedResult;
  readonly other: SimulationResult;
}

/** A bound that holds or does not: the value measured, and the bound. */
interface Bound {
  readonly what: string;
  readonly value: (runs: Runs) => number;
  readonly most?: ((runs: Runs, size: Size) => number) | undefined;
  readonly least?: ((runs: Runs, size: Size) => number) | undefined;
}

export interface Target {
  readonly title: string;
  readonly guards: Guards;
  readonly scene: Scene;
  readonly store?: Partial<NetworkOptions> | undefined;
  readonly beside?: "own guards" | "no retries";
  readonly bounds: readonly Bound[];
}

const BEFORE = 60_000;
const AFTER = 60_000;

const load = (most: Bound["most"]): Bound => ({ what: "load", value: ({ run }) => run.load, most });
const recovery = (most: Bound["most"]): Bound => ({ what: "recovery", value: ({ run }) => run.recovery, most });
const success = (least: Bound["least"]): Bound => ({ what: "success", value: ({ run }) => run.success, least });
const peak = (most: number): Bound => ({ what: "peak", value: ({ run }) => run.peak, most: () => most });
const isSmall = ({ clients }: Size) => clients === 20;

/** What so many guards of each process may cost. */
const exchangesOf = (guards: number): readonly Bound[] => [
  {
    what: "exchanges/s",
    value: ({ run }) => run.exchanges.reduce((sum, count) => sum + count, 0) / run.perSecond.length,
    most: (_, size) => (isSmall(size) ? 220 * guards : 2_000),
  },
  { what: "exchanges in a second", value: ({ run }) => Math.max(0, ...run.exchanges), most: () => 2_500 },
];

const exchanges = exchangesOf(1);

const outage = (kind: OutageKind, lasts: number): Scene => ({ outage: { kind, lasts }, before: BEFORE, after: AFTER });
const gone = (at: number, lasts: number): Partial<NetworkOptions> => ({ events: [{ kind: "unreachable", at, lasts }] });
const EVER = 1e9;

const breakerPeak = peak(1.15);
const budgetPeak = peak(1.25);
const noWorse = success(({ other }) => other.success);

/** The table of the design, chapter 10, worst of seeds 1 to 3. */
export const TARGETS: readonly Target[] = [
  ...[30_000, 37_000].map(
    (lasts): Target => ({
      title: `breaker, blackhole of ${lasts / 1_000} s`,
      guards: "breaker",
      scene: outage("blackhole", lasts),
      bounds: [load(() => 0.06), recovery(() => 3_000), breakerPeak, ...exchanges],
    }),
  ),
  {
    title: "breaker, refused",
    guards: "breaker",
    scene: outage("refused", 30_000),
    bounds: [load((_, size) => (isSmall(size) ? 0.04 : 0.05)), recovery(() => 3_000), breakerPeak, ...exchanges],
  },
  {
    title: "breaker, slow",
    guards: "breaker",
    scene: outage("slow", 30_000),
    bounds: [success(() => 0.82), load(() => 0.6), recovery(() => 3_000), breakerPeak, ...exchanges],
  },
  ...(["blackhole", "refused", "slow"] as const).map(
    (kind): Target => ({
      title: `budget, ${kind}`,
      guards: "budget",
      scene: outage(kind, 30_000),
      beside: "no retries",
      bounds: [load(() => 1.05), noWorse, budgetPeak, ...exchanges],
    }),
  ),
  {
    title: "both, 10 % failing at random",
    guards: "both",
    scene: { server: { failing: 0.1 }, before: BEFORE, after: AFTER },
    bounds: [success(() => 0.999), load(() => 1.12), ...exchangesOf(2)],
  },
  {
    title: "breaker, blackhole of 30 s, the store dead from the start",
    guards: "breaker",
    scene: outage("blackhole", 30_000),
    store: gone(0, EVER),
    beside: "own guards",
    bounds: [load(({ other }) => other.load + 0.01), recovery(({ other }) => other.recovery + 1_000)],
  },
  {
    title: "breaker, blackhole of 37 s, the store dies in it",
    guards: "breaker",
    scene: outage("blackhole", 37_000),
    store: gone(BEFORE + 10_000, EVER),
    beside: "own guards",
    bounds: [load(({ other }) => other.load), recovery(() => 15_000)],
  },
  {
    title: "budget, blackhole of 37 s, the store dies in it",
    guards: "budget",
    scene: outage("blackhole", 37_000),
    store: gone(BEFORE + 10_000, EVER),
    bounds: [load(() => 1.05)],
  },
  {
    title: "breaker, blackhole of 30 s, the store wiped in it",
    guards: "breaker",
    scene: outage("blackhole", 30_000),
    store: { events: [{ kind: "wiped", at: BEFORE + 10_000 }] },
    bounds: [load(() => 0.1), recovery(() => 3_000), breakerPeak, ...exchanges],
  },
  {
    title: "breaker, blackhole of 30 s, 50 ms to the store",
    guards: "breaker",
    scene: outage("blackhole", 30_000),
    store: { latency: 50 },
    bounds: [load(() => 0.06), recovery(() => 3_000), breakerPeak, ...exchanges],
  },
];

/** A measured value beside its bound. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  readonly bound: string;
  readonly holds: boolean;
  /** How far it is from its bound: below 0 where it does not hold. */
  readonly slack: number;
  readonly shown: string;
}

/** Plays a target with fleets of a size. What it is compared to is played only where some bound asks for it. */
export async function measure(
  target: Target,
  size: Size,
  seed: number,
  scale: Partial<Scene> = {},
): Promise<Measured[]> {
  const { guards, store, beside } = target;
  const { clients, rate } = size;
  const scene: Scene = { ...target.scene, ...scale, clients, rate };
  const run = await playShared(scene, { guards, shared: true, store }, seed);
  const others: Record<NonNullable<Target["beside"]>, () => Promise<SimulationResult>> = {
    "own guards": () => playShared(scene, { guards, shared: false }, seed),
    "no retries": () => simulate({ ...scene, seed, policy: noRetries.policy }),
  };
  const runs: Runs = { run, other: beside ? await others[beside]() : run };
  return target.bounds.map(({ what, value, most, least }) => {
    const measured = value(runs);
    const bound = most?.(runs, size) ?? least!(runs, size);
    const slack = most ? bound - measured : measured - bound;
    return {
      what,
      value: measured,
      bound: `${most ? "≤" : "≥"} ${shown(bound)}`,
      holds: slack >= 0,
      slack,
      shown: shown(measured),
    };
  });
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}
