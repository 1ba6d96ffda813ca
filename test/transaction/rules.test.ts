import { retryIfResult, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { retryTransaction } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import { failureOf } from "../transient/calls.js";
import { failing, fakePools, traceable } from "./fakes.js";

const reset = { code: "ECONNRESET", syscall: "read" };
const insert = (tx: any) => tx.query("insert");

describe("retryTransaction on PostgreSQL", () => {
  it("begins as it is told", async () => {
    const { pg, log } = fakePools({});

    await retryTransaction(pg, insert, { isolation: "serializable", readOnly: true });

    expect(log.slice(1)).toEqual(["begin isolation level serializable read only", "insert", "commit", "(released)"]);
  });

  it("asks once for each pool whether a fate can be asked for", async () => {
    const { pg, log } = fakePools(traceable);

    await retryTransaction(pg, insert);
    await retryTransaction(pg, insert);

    expect(log.filter((text) => text.includes("pg_proc"))).toHaveLength(1);
  });

  it("asks what became of a COMMIT until it is no longer in progress", async () => {
    const fates = ["in progress", "in progress", "committed"];
    const { pg, log } = fakePools({
      ...traceable,
      pg_xact_status: (_, values) => {
        expect(values).toEqual(["7"]);
        return { rows: [{ status: fates.shift() }] };
      },
      commit: failing(reset),
    });

    expect(await retryTransaction(pg, (tx) => insert(tx).then(() => "done"))).toBe("done");
    expect(fates).toEqual([]);
    expect(log.filter((text) => text === "insert")).toHaveLength(1);
    expect(log.filter((text) => text === "(destroyed)")).toHaveLength(1);
  });

  it("begins anew where the transaction was rolled back after all", async () => {
    const { pg, log } = fakePools({
      ...traceable,
      pg_xact_status: () => ({ rows: [{ status: "aborted" }] }),
      commit: (times) => times === 1 && failing(reset)(),
    });

    await retryTransaction(pg, insert, instant);

    expect(log.filter((text) => text === "insert")).toHaveLength(2);
  });

  it.each([
    ["is too old", () => ({ rows: [{ status: null }] })],
    ["is not known", failing({ code: "22023", severity: "ERROR" })],
  ])("rejects with the COMMIT's error where its transaction's id %s", async (_, pg_xact_status) => {
    const { pg, log } = fakePools({ ...traceable, pg_xact_status, commit: failing(reset) });

    expect(await failureOf(retryTransaction(pg, insert, instant))).toMatchObject(reset);
    expect(log.filter((text) => text === "insert")).toHaveLength(1);
    expect(log).toContain("(destroyed)");
  });

  it("tries again what stays in doubt where that does no harm", async () => {
    const { pg, log } = fakePools({ commit: (times) => times === 1 && failing(reset)() });

    await retryTransaction(pg, insert, { ...instant, idempotent: true });

    expect(log.filter((text) => text === "insert")).toHaveLength(2);
  });

  it("does not ask the caller's retryIf about what is in doubt", async () => {
    const { pg, log } = fakePools({ commit: failing({ code: "XX000", severity: "ERROR" }) });

    await failureOf(retryTransaction(pg, insert, { ...instant, retryIf: () => true }));

    expect(log.filter((text) => text === "insert")).toHaveLength(1);
  });

  it("begins anew where the transaction wrote nothing", async () => {
    const { pg, log } = fakePools({
      ...traceable,
      xact_id: () => ({ rows: [{ id: null }] }),
      commit: (times) => times === 1 && failing(reset)(),
    });

    await retryTransaction(pg, insert, instant);

    expect(log.filter((text) => text === "insert")).toHaveLength(2);
  });

  it("rejects with the error that the work swallowed where COMMIT rolls back", async () => {
    const { pg } = fakePools({
      insert: failing({ code: "23505", severity: "ERROR" }),
      commit: () => ({ command: "ROLLBACK" }),
    });
    const swallow = async (tx: any) => void (await insert(tx).catch(() => {}));

    expect(await failureOf(retryTransaction(pg, swallow))).toMatchObject({ code: "23505" });
  });

  it("says that COMMIT rolled back where nothing else does", async () => {
    const { pg } = fakePools({ commit: () => ({ command: "ROLLBACK" }) });

    await expect(retryTransaction(pg, insert)).rejects.toThrow("the server rolled back instead of committing");
  });

  it("says what led to 25P02", async () => {
    const { pg } = fakePools({
      insert: failing({ code: "22003", severity: "ERROR" }),
      update: failing({ code: "25P02", severity: "ERROR" }),
    });
    const work = async (tx: any) => {
      await insert(tx).catch(() => {});
      await tx.query("update");
    };

    expect(await failureOf(retryTransaction(pg, work))).toMatchObject({ code: "22003" });
  });

  it("tries a serialization failure of COMMIT again, and keeps the connection", async () => {
    const { pg, log } = fakePools({
      commit: (times) => times === 1 && failing({ code: "40001", severity: "ERROR" })(),
    });

    await retryTransaction(pg, insert, instant);

    expect(log.filter((text) => text === "(released)")).toHaveLength(2);
  });

  it("gives the connection up to a server that turned read-only, and tries again", async () => {
    const { pg, log } = fakePools({
      insert: (times) => times === 1 && failing({ code: "25006", severity: "ERROR" })(),
    });

    await retryTransaction(pg, insert, instant);

    expect(log.filter((text) => text.startsWith("("))).toEqual(["(destroyed)", "(released)"]);
  });

  it("leaves an error of the work's own other calls as it is", async () => {
    const { pg, log } = fakePools({});
    const work = async (tx: any) => {
      await insert(tx);
      throw Object.assign(new Error("another service"), reset);
    };

    await failureOf(retryTransaction(pg, work, instant));

    expect(log.filter((text) => text === "insert")).toHaveLength(1);
  });

  it("tries again what another library made of a lost connection", async () => {
    const { pg, log } = fakePools({ insert: (times) => times === 1 && failing(reset)() });
    const work = (tx: any) =>
      insert(tx).catch((cause: unknown) => {
        throw new Error("Failed query: insert", { cause });
      });

    await retryTransaction(pg, work, instant);

    expect(log.filter((text) => text === "insert")).toHaveLength(2);
  });
});

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
