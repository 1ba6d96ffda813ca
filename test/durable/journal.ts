import type { DurableEngine } from "undaunted/durable";

/** Where a process can die: `in` and `after` a step, by its name, and in a sleep, by its number. */
type Place = string;

/** The process is gone: what runs a workflow again catches this. */
export class Killed extends Error {}

/**
 * A durable engine in memory, on virtual time: what a step returned and when a sleep ends outlive the process that ran them, as JSON.
 * `killer` is asked
 * at each place whether the process dies there; times begin at `begin`.
 */
export function journalEngine(killer: (place: Place) => boolean = () => false, begin = 1_000_000) {
  const steps = new Map<string, string>();
  const wakes: number[] = [];
  const slept: number[] = [];
  const ran: string[] = [];
  let time = begin;
  const die = (place: Place) => {
    if (killer(place)) throw new Killed(place);
  };

  /** A process that runs the workflow, from the beginning. */
  const process = (): DurableEngine => {
    let sleeps = 0;
    return {
      now: () => time,
      async step(name, fn) {
        const recorded = steps.get(name);
        if (recorded !== undefined) return JSON.parse(recorded).value;
        ran.push(name);
        const value = await fn();
        die(`in ${name}`);
        steps.set(name, JSON.stringify({ value }));
        die(`after ${name}`);
        return JSON.parse(steps.get(name)!).value;
      },
      async sleep(ms) {
        const index = sleeps++;
        if (wakes[index] === undefined) {
          wakes[index] = time + ms;
          slept.push(ms);
        }
        die(`in sleep ${index + 1}`);
        time = Math.max(time, wakes[index]!);
      },
    };
  };

  return {
    ran,
    slept,
    now: () => time,
    pass: (ms: number) => {
      time += ms;
    },
    steps,
    process,
    /** Runs a workflow in one process after another, until one survives. */
    async run<T>(workflow: (engine: DurableEngine) => Promise<T>): Promise<T> {
      for (let processes = 1; ; processes++) {
        try {
          return await workflow(process());
        } catch (error) {
          if (!(error instanceof Killed) || processes === 100) throw error;
        }
      }
    },
  };
}
