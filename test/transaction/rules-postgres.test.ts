import { instant } from "undaunted/testing";
import { retryTransaction } from "undaunted/transient";
import { describe, expect, it } from "vitest";
import { failureOf } from "../transient/calls.js";
import { failing, fakePools, traceable } from "./fakes.js";

const reset = { code: "ECONNRESET", syscall: "read" };
function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

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

  it("does not try again what a transaction that only reads refuses", async () => {
    const { pg, log } = fakePools({ insert: failing({ code: "25006", severity: "ERROR" }) });

    await failureOf(retryTransaction(pg, insert, { ...instant, readOnly: true }));

    expect(log.filter((text) => text === "insert")).toHaveLength(1);
  });

  it("begins anew where a COMMIT that failed for an unknown reason was rolled back", async () => {
    const { pg, log } = fakePools({
      ...traceable,
      pg_xact_status: () => ({ rows: [{ status: "aborted" }] }),
      commit: (times) => times === 1 && failing({ code: "XX000", severity: "ERROR" })(),
    });

    await retryTransaction(pg, insert, instant);

    expect(log.filter((text) => text === "insert")).toHaveLength(2);
  });

  it("forgets an error once a statement has succeeded after it", async () => {
    const { pg } = fakePools({
      insert: failing({ code: "23505", severity: "ERROR" }),
      update: failing({ code: "25P02", severity: "ERROR" }),
    });
    const work = async (tx: any) => {
      await insert(tx).catch(() => {});
      await tx.query("rollback to savepoint one");
      await tx.query("update");
    };

    expect(await failureOf(retryTransaction(pg, work))).toMatchObject({ code: "25P02" });
  });

  it("destroys the connection once where it is aborted in the work", async () => {
    const controller = new AbortController();
    const { pg, log } = fakePools({});
    const over = deferred<void>();
    const work = async (tx: any) => {
      controller.abort();
      await insert(tx).finally(() => over.resolve());
    };

    await failureOf(retryTransaction(pg, work, { signal: controller.signal }));
    await over.promise;
    await new Promise(setImmediate);

    expect(log.filter((text) => text.startsWith("("))).toEqual(["(destroyed)"]);
    expect(log).not.toContain("insert");
  });

  it("lets a COMMIT end that is under way when it is aborted", async () => {
    const controller = new AbortController();
    const answer = deferred<object>();
    const { pg, log } = fakePools({
      commit: () => {
        controller.abort();
        return answer.promise;
      },
    });

    await failureOf(retryTransaction(pg, insert, { signal: controller.signal }));
    const before = log.at(-1);
    answer.resolve({ command: "COMMIT" });
    await new Promise(setImmediate);

    expect([before, log.at(-1)]).toEqual(["commit", "(released)"]);
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
