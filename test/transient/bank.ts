import { seededRandom } from "undaunted/testing";

export interface Transfer {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

export const ACCOUNTS = Array.from({ length: 20 }, (_, index) => `account ${index}`);
export const START = 1_000;

/** As many transfers between different accounts, the same ones each time. */
export function transfers(count: number): Transfer[] {
  const random = seededRandom(1);
  const below = (limit: number) => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, index) => {
    const from = below(ACCOUNTS.length);
    const to = (from + 1 + below(ACCOUNTS.length - 1)) % ACCOUNTS.length;
    return { id: `transfer ${index}`, from: ACCOUNTS[from]!, to: ACCOUNTS[to]!, amount: 1 + below(9) };
  });
}

/** What each account must hold once these transfers are made, each as often as it is there. */
export function balancesAfter(made: readonly Transfer[]): Map<string, number> {
  const balances = new Map(ACCOUNTS.map((name) => [name, START]));
  for (const { from, to, amount } of made) {
    balances.set(from, balances.get(from)! - amount);
    balances.set(to, balances.get(to)! + amount);
  }
  return balances;
}

/** By their ids, so that they can be compared. */
export function inOrder(made: readonly Transfer[]): Transfer[] {
  return [...made].sort((a, b) => a.id.localeCompare(b.id));
}

/**
 * Makes the transfers from several clients at once. After the n-th is done, what `disturb` answers for n is begun, one at a time;
 * resolves when all of it is over.
 */
export async function transferAll(
  wanted: readonly Transfer[],
  transfer: (each: Transfer) => Promise<unknown>,
  { clients, disturb }: { clients: number; disturb: (done: number) => (() => Promise<unknown>) | undefined },
): Promise<void> {
  let done = 0;
  let disturbances: Promise<unknown> = Promise.resolve();
  const left = wanted.values();
  const client = async () => {
    // All of them draw from the same iterator.
    for (const each of left) {
      await transfer(each);
      const next = disturb(++done);
      if (next) disturbances = disturbances.then(next);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await disturbances;
}
