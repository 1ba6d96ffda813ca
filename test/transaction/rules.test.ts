import { retryIfResult, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { retryTransaction } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import { failureOf } from "../transient/calls.js";
import { failing, fakePools } from "./fakes.js";

const reset = { code: "ECONNRESET", syscall: "read" };
const insert = (tx: any) => tx.query("insert");

describe("retryTransaction on MySQL", () => {
  const timeout = { errno: 1205, sqlState: "HY000" };

  it("begins as it is told", async () => {
    const { mysql, log } = fakePools({});

    await retryTransaction(mysql, insert, { isolation: "read committed", readOnly: true });

    expect(log).toEqual([
      "set transaction isolation level read committed",
      "start transaction read only",
      "insert",
      "commit",
      "(released)",
    ]);
  });

  it.each([
    [0, 1, "goes on after a lock timeout"],
    [1, 2, "begins anew after a lock timeout that rolled back"],
  ])("innodb_rollback_on_timeout = %i: %i runs, as it %s", async (does, runs) => {
    const { mysql, log } = fakePools({
      innodb_rollback_on_timeout: () => [[{ does }], []],
      insert: (times) => times === 1 && failing(timeout)(),
    });

    await retryTransaction(mysql, async (tx) => void (await insert(tx).catch(() => {})), instant);

    expect(log.filter((text) => text === "start transaction")).toHaveLength(runs);
  });

  it.each([1213, 1020, 3101, 9007])("sends nothing after %i, which ended the transaction", async (errno) => {
    const { mysql, log } = fakePools({ insert: failing({ errno, sqlState: "HY000" }) });
    const work = async (tx: any) => {
      await insert(tx).catch(() => {});
      await tx.query("update");
    };

    expect(await failureOf(retryTransaction(mysql, work, { ...instant, stop: stopAfterAttempt(1) }))).toMatchObject({
      errno,
    });
    expect(log).not.toContain("update");
  });

  it("sends no statement that was called beside one that ended the transaction", async () => {
    const { mysql, log } = fakePools({ insert: failing({ errno: 1213, sqlState: "40001" }) });
    const work = (tx: any) => Promise.all([insert(tx), tx.query("update")]);

    await failureOf(retryTransaction(mysql, work, { ...instant, stop: stopAfterAttempt(1) }));

    expect(log).not.toContain("update");
  });

  it("rejects with the COMMIT's error where nobody knows what became of it", async () => {
    const { mysql, log } = fakePools({ commit: failing(reset) });

    expect(await failureOf(retryTransaction(mysql, insert, instant))).toMatchObject(reset);
    expect(log.at(-1)).toBe("(destroyed)");
  });

  it("asks wasDone only once the old session is gone", async () => {
    const sessions = [[{ 1: 1 }], [{ 1: 1 }], []];
    const { mysql, log } = fakePools({
      "id = connection_id()": () => [{ id: 3, host: "127.0.0.1:5000" }],
      "id = ? and host = ?": (_, values) => {
        expect(values).toEqual([3, "127.0.0.1:5000"]);
        return sessions.shift();
      },
      commit: failing(reset),
    });
    const wasDone = async () => {
      log.push("wasDone");
      return true;
    };

    await retryTransaction(mysql, insert, { wasDone });

    expect(sessions).toEqual([]);
    expect(log.filter((text) => text === "insert" || text === "wasDone")).toEqual(["insert", "wasDone"]);
  });
});

describe("retryTransaction", () => {
  it.each([
    [undefined, "pool must be a pool of pg, mysql2/promise or mariadb, got undefined"],
    [{}, "pool must be a pool of pg, mysql2/promise or mariadb"],
    [{ connect() {}, release() {} }, "it takes a pool, got a connection"],
    [{ getConnection() {}, promise() {} }, "this pool of mysql2 takes callbacks; pass pool.promise()"],
  ])("rejects %o as a pool", async (pool, message) => {
    const error: any = await failureOf(retryTransaction(pool as any, insert));

    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`retryTransaction: ${message}`);
  });

  it.each([
    [
      { isolation: "snapshot" },
      "isolation must be one of read uncommitted, read committed, repeatable read, serializable, got",
    ],
    [{ readOnly: 1 }, "readOnly must be true or false, got 1"],
    [{ idempotent: "no" }, "idempotent must be true or false"],
    [{ wasDone: true }, "wasDone must be a function"],
    [{ wasDone: () => true }, "wasDone is for MySQL and MariaDB; PostgreSQL is asked itself"],
    [{ retryIf: retryIfResult(() => true) }, "retryIf must look at errors alone"],
    [{ tries: 3 }, "there is no option"],
  ])("rejects the options %o", async (options, message) => {
    const error: any = await failureOf(retryTransaction(fakePools({}).pg, insert, options as any));

    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
  });

  it("gives up what connects to nothing", async () => {
    const pool = { connect: async () => undefined };

    await expect(retryTransaction(pool as any, insert)).rejects.toThrow("is no pool of pg, mysql2/promise or mariadb");
  });
});
