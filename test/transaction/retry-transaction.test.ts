import { stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { classifyError, retryTransaction } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { barrier, failureOf } from "../transient/calls.js";
import { whatIsMissing } from "../transient/servers/index.js";
import { type Client, NAMES, startClient } from "./clients.js";

const missing = whatIsMissing("postgres") ?? whatIsMissing("mariadb");
const HOW = ["reset", "end"] as const;
const charge = (tx: any) => tx.query("insert into charges values (1)");

describe.skipIf(missing).each(NAMES)(`retryTransaction with %s${missing ? ` (${missing})` : ""}`, (name) => {
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
  const wasDone =
    name === "pg"
      ? {}
      : { wasDone: async (other: any) => String(await other.query("select n from charges")).length > 0 };
  /** Without pauses; the fate of a COMMIT is asked for on real time. */
  const quick = { wait: instant.wait };

  it("returns what the work returned, once it is committed", async () => {
    const result = await retryTransaction(client.pool, async (tx: any) => {
      await charge(tx);
      return "charged";
    });

    expect(result).toBe("charged");
    expect(await charges()).toBe(1);
  });

  it("rolls back and rejects with what the work threw", async () => {
    const failed = new Error("no funds");

    const error = await failureOf(
      retryTransaction(client.pool, async (tx: any) => {
        await charge(tx);
        throw failed;
      }),
    );

    expect(error).toBe(failed);
    expect(await charges()).toBe(0);
  });

  it("passes the attempt's number on", async () => {
    const attempts: number[] = [];
    await retryTransaction(
      client.pool,
      async (_: any, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) client.link.cut();
        await charge(_);
      },
      quick,
    );

    expect(attempts).toEqual([1, 2]);
  });

  it.each(HOW)("tries again where the connection is lost in the work (%s)", async (how) => {
    const lost = client.link.cutBefore(/insert into charges/, how);

    await Promise.all([lost, retryTransaction(client.pool, charge, quick)]);

    expect(await charges()).toBe(1);
  });

  it.each(HOW)("tries again where the server never got the COMMIT (%s)", async (how) => {
    const lost = client.link.cutBefore(/^.{0,5}commit/is, how);
    let asked = 0;
    const done = name === "pg" ? {} : { wasDone: async () => ++asked === 0 };

    await Promise.all([lost, retryTransaction(client.pool, charge, { ...quick, ...done })]);

    expect(await charges()).toBe(1);
    expect(asked).toBe(name === "pg" ? 0 : 1);
  });

  it.each(HOW)("finds that it is committed where the answer of COMMIT is lost (%s)", async (how) => {
    const lost = client.link.cutAfter(/^.{0,5}commit/is, how);
    let runs = 0;

    const result = await retryTransaction(
      client.pool,
      async (tx: any) => {
        await charge(tx);
        return ++runs;
      },
      { ...quick, ...wasDone },
    );
    await lost;

    expect([result, await charges()]).toEqual([1, 1]);
  });

  it("tries a transaction that only reads again where the answer of COMMIT is lost", async () => {
    const lost = client.link.cutAfter(/^.{0,5}commit/is);
    let runs = 0;

    await retryTransaction(
      client.pool,
      async (tx: any) => {
        runs++;
        await tx.query("select * from accounts");
      },
      { ...quick, readOnly: true },
    );
    await lost;

    expect(runs).toBe(2);
  });

  it("does not try a write again that a transaction refuses which only reads", async () => {
    let runs = 0;
    const error = await failureOf(
      retryTransaction(
        client.pool,
        async (tx: any) => {
          runs++;
          await charge(tx);
        },
        { ...quick, readOnly: true },
      ),
    );

    expect(runs).toBe(1);
    expect(String(error)).toMatch(/read[- ]only/i);
  });

  it("tries again after a deadlock", async () => {
    const both = barrier(2);
    let runs = 0;
    const crossing = (first: number, second: number) =>
      retryTransaction(
        client.pool,
        async (tx: any) => {
          runs++;
          await tx.query(`update accounts set balance = balance - 1 where id = ${first}`);
          await both();
          await tx.query(`update accounts set balance = balance + 1 where id = ${second}`);
          await charge(tx);
        },
        quick,
      );

    await Promise.all([crossing(1, 2), crossing(2, 1)]);

    expect(await charges()).toBe(2);
    expect(runs).toBeGreaterThanOrEqual(3);
  });

  it("does not let the work swallow what ended the transaction", async () => {
    const both = barrier(2);
    const later: unknown[] = [];
    const crossing = (first: number, second: number) =>
      retryTransaction(
        client.pool,
        async (tx: any) => {
          await tx.query(`update accounts set balance = balance - 1 where id = ${first}`);
          await both();
          let swallowed: unknown;
          await tx.query(`update accounts set balance = balance + 1 where id = ${second}`).catch((error: unknown) => {
            swallowed = error;
          });
          const then = await charge(tx).catch((error: unknown) => error);
          if (swallowed) later.push(then === swallowed);
        },
        quick,
      );

    await Promise.all([crossing(1, 2), crossing(2, 1)]);

    expect(later).not.toContain(false);
    expect(later.length).toBeGreaterThanOrEqual(1);
    expect(await charges()).toBe(2);
  });

  it("keeps the error of a statement where the rollback fails too", async () => {
    const error: any = await failureOf(
      retryTransaction(
        client.pool,
        async (tx: any) => {
          const lost = client.link.cutBefore(/insert into charges/);
          await Promise.all([lost, charge(tx)]);
        },
        { ...quick, stop: stopAfterAttempt(1) },
      ),
    );

    expect(classifyError(error)).toBe("idempotent");
    expect(String(error)).not.toMatch(/rollback/i);
  });

  it("waits for statements that the work did not wait for", async () => {
    await retryTransaction(client.pool, async (tx: any) => {
      void charge(tx);
      void charge(tx);
    });

    expect(await charges()).toBe(2);
  });

  it("refuses statements once the transaction is over", async () => {
    let kept: any;
    await retryTransaction(client.pool, async (tx: any) => {
      kept = tx;
    });

    await expect(charge(kept)).rejects.toThrow("retryTransaction: the transaction is over");
    expect(await charges()).toBe(0);
  });

  it.each(["commit", " COMMIT;", "rollback", "BEGIN", "start transaction", "end"])(
    "refuses %j in the work",
    async (text) => {
      const error: any = await failureOf(retryTransaction(client.pool, async (tx: any) => tx.query(text)));

      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain("it begins, commits and rolls back by itself");
    },
  );

  it("lets the work make savepoints", async () => {
    await retryTransaction(client.pool, async (tx: any) => {
      await tx.query("savepoint one");
      await tx.query("insert into accounts values (1, 0)").catch(() => {});
      await tx.query("rollback to savepoint one");
      await charge(tx);
    });

    expect(await charges()).toBe(1);
  });

  it("takes a pool, and no connection", async () => {
    const error: any = await failureOf(retryTransaction(client.pool, async (tx: any) => retryTransaction(tx, charge)));

    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain("it takes a pool, got a connection");
  });

  it("is a transaction of its own within another", async () => {
    await failureOf(
      retryTransaction(client.pool, async (tx: any) => {
        await charge(tx);
        await retryTransaction(client.pool, charge);
        throw new Error("the outer one");
      }),
    );

    expect(await charges()).toBe(1);
  });
});
