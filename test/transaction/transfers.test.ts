import { stopAfterDelay, waitFullJitter } from "undaunted";
import { seededRandom } from "undaunted/testing";
import { retryTransaction } from "undaunted/transient";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ACCOUNTS, balancesAfter, inOrder, START, type Transfer, transferAll, transfers } from "../transient/bank.js";
import { whatIsMissing } from "../transient/servers/index.js";
import { type Client, NAMES, rowsOf, startClient } from "./clients.js";

const missing = whatIsMissing("postgres") ?? whatIsMissing("mariadb");

/** What lasts through a restart, and does not hold the tests up. */
const PATIENT = { stop: stopAfterDelay(60_000), wait: waitFullJitter({ base: 5, max: 200 }), random: seededRandom(1) };

describe.skipIf(missing).each(NAMES)(`a thousand transfers with %s${missing ? ` (${missing})` : ""}`, (name) => {
  let client: Client;
  const met = { lostCommits: 0, retries: 0, restarts: 0 };

  beforeAll(async () => {
    client = await startClient(name);
    await client.ask("create table accounts (name varchar(20) primary key, balance int not null)");
    // Without a key of its own: it shows what was done twice. A sum would agree even then.
    await client.ask("create table ledger (id varchar(20), source varchar(20), target varchar(20), amount int)");
    for (const account of ACCOUNTS) await client.ask(`insert into accounts values ('${account}', ${START})`);
  });

  afterAll(() => client?.close());

  const transfer = ({ id, from, to, amount }: Transfer) =>
    retryTransaction(
      client.pool,
      async (tx: any) => {
        await tx.query(`update accounts set balance = balance - ${amount} where name = '${from}'`);
        await tx.query(`update accounts set balance = balance + ${amount} where name = '${to}'`);
        await tx.query(`insert into ledger values ('${id}', '${from}', '${to}', ${amount})`);
      },
      {
        ...PATIENT,
        onRetry: () => void met.retries++,
        ...(name !== "pg" && { wasDone: async (other: any) => (await ledgerOf(other, id)) === 1 }),
      },
    );

  const ledgerOf = async (other: any, id: string) =>
    rowsOf(await other.query(`select id from ledger where id = '${id}'`)).length;

  async function restart(): Promise<void> {
    await client.server.stop();
    await client.server.start();
    met.restarts++;
  }

  /** What happens once so many transfers are done. The last fifty are left alone. */
  function disturb(done: number): (() => Promise<unknown>) | undefined {
    if (done === 330 || done === 660) return restart;
    if (done > 950) return undefined;
    switch (done % 40) {
      case 10:
      case 30:
        // Not waited for: the connection may be lost to something else before.
        return async () =>
          void client.link.cutAfter(/commit/, done % 80 < 40 ? "reset" : "end").then(() => met.lostCommits++);
      case 20:
        return async () => client.link.cut();
    }
    return undefined;
  }

  it("are each made exactly once, through restarts, conflicts and lost COMMITs", async () => {
    const wanted = transfers(1_000);

    await transferAll(wanted, transfer, { clients: 8, disturb });

    const ledger = await client.ask(`select id, source as "from", target as "to", amount from ledger`);
    const accounts = await client.ask("select name, balance from accounts");
    expect(inOrder(ledger as Transfer[])).toEqual(inOrder(wanted));
    expect(new Map(accounts.map((each) => [each.name, each.balance]))).toEqual(balancesAfter(wanted));
    expect(met.restarts).toBe(2);
    expect(met.lostCommits).toBeGreaterThan(20);
    expect(met.retries).toBeGreaterThan(20);
  });
});
