import { instant } from "undaunted/testing";
import { retryTransaction } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { failureOf } from "../transient/calls.js";
import { whatIsMissing } from "../transient/servers/index.js";
import { type Client, NAMES, startClient } from "./clients.js";

const missing = whatIsMissing("postgres") ?? whatIsMissing("mariadb");
const charge = (tx: any) => tx.query("insert into charges values (1)");

describe.skipIf(missing).each(NAMES)(
  `the policy of retryTransaction with %s${missing ? ` (${missing})` : ""}`,
  (name) => {
    let client: Client;

    beforeAll(async () => {
      client = await startClient(name, 3);
      await client.ask("create table charges (n int)");
      await client.ask("create table accounts (id int primary key, balance int)");
    });

    afterAll(() => client?.close());

    beforeEach(async () => {
      await client.ask("delete from charges");
      await client.ask("delete from accounts");
      await client.ask("insert into accounts values (1, 100), (2, 100)");
    });

    const charges = async () => (await client.ask("select n from charges")).length;
    /** Without pauses. */
    const quick = { wait: instant.wait };

    it("ends at once where it is aborted, and nothing of it remains", async () => {
      const controller = new AbortController();
      const reason = new Error("the user left");
      let later: unknown;
      const ended = new Promise<void>((resolve) => {
        const work = async (tx: any) => {
          await charge(tx);
          controller.abort(reason);
          later = await failureOf(charge(tx));
          resolve();
        };
        void retryTransaction(client.pool, work, { signal: controller.signal }).catch((error) => {
          expect(error).toBe(reason);
        });
      });
      await ended;

      expect(later).toBe(reason);
      await expect.poll(charges).toBe(0);
      await retryTransaction(client.pool, charge);
      expect(await charges()).toBe(1);
    });

    it("tries again where an attempt took too long", async () => {
      let runs = 0;
      await retryTransaction(
        client.pool,
        async (tx: any) => {
          await charge(tx);
          if (++runs === 1) await new Promise(() => {});
        },
        { ...quick, attemptTimeout: 1_000 },
      );

      expect(await charges()).toBe(1);
    });

    it("tries again what the caller's own retryIf wants, after a rollback", async () => {
      let runs = 0;
      await retryTransaction(
        client.pool,
        async (tx: any) => {
          await charge(tx);
          await tx.query(`insert into accounts values (${++runs}, 0)`);
        },
        { ...quick, retryIf: (error: any) => error.code === "23505" || error.errno === 1062 },
      );

      expect(runs).toBe(3);
      expect(await charges()).toBe(1);
    });

    it("leaves no connection taken", async () => {
      const pool = client.poolOf(1);
      await failureOf(retryTransaction(pool, async () => Promise.reject(new Error("no"))));
      await Promise.all([client.link.cutBefore(/insert into charges/), retryTransaction(pool, charge, quick)]);
      await retryTransaction(pool, charge);
      await pool.end();

      expect(await charges()).toBe(2);
    });
  },
);
