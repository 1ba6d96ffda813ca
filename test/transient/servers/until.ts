import { setTimeout as pause } from "node:timers/promises";

/** Ends what `until` does. */
export class Hopeless extends Error {}

/** Tries again, every few ms, what rejects, until it resolves or `deadline` ms are over; `describe` says what it was. */
export async function until<T>(attempt: () => Promise<T>, deadline: number, describe: () => string): Promise<T> {
  const end = performance.now() + deadline;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      if (performance.now() > end) throw new Error(`${describe()}: not within ${deadline} ms`, { cause: error });
      await pause(20);
    }
  }
}

/** Rejects with what `describe` says where `promise` takes longer. */
export async function within<T>(promise: Promise<T>, deadline: number, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${describe()}: not within ${deadline} ms`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
