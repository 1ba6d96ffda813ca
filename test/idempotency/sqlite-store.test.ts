import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named } from "./kinds-of-store.js";
import { missingSqlite, SqliteFolder, type SqliteProcess } from "./sqlite/process.js";

const HOUR = 3_600_000;

describe.skipIf(missingSqlite)(named("sqliteIdempotencyStore", missingSqlite), () => {
  let folder: SqliteFolder;
  const processes: SqliteProcess[] = [];

  beforeAll(async () => {
    folder = await SqliteFolder.make();
    for (const as of [undefined, "better-sqlite3"] as const) processes.push(await folder.open(undefined, as));
    await processes[0]!.store.setUp();
  });

  afterAll(() => folder?.close());

  it.each([
    ["node:sqlite", 0],
    ["better-sqlite3", 1],
  ])("is part of a transaction of %s: it commits with it, or not at all", async (what, index) => {
    const [own, other] = [processes[index]!, processes[1 - index]!];

    await own.exec("begin");
    const claim = await own.store.claim(`rolled back, ${what}`, "f", HOUR);
    expect(claim).toEqual({ state: "won", token: expect.any(String), inTransaction: true });
    await own.exec("rollback");
    expect(await other.store.peek(`rolled back, ${what}`)).toBeUndefined();

    await own.exec("begin");
    const { token } = (await own.store.claim(`committed, ${what}`, "f", 1)) as { token: string };
    // The lease is over, but nobody else can have had the key.
    expect(await own.store.renew(`committed, ${what}`, token, 1)).toBe(true);
    expect(await own.store.record(`committed, ${what}`, token, "done", HOUR)).toBe(true);
    expect(await other.store.peek(`committed, ${what}`)).toBeUndefined();
    await own.exec("commit");
    expect(await other.store.peek(`committed, ${what}`)).toEqual({ state: "done", fingerprint: "f", record: "done" });
  });

  it("deletes what is over in batches, found by an index, and leaves the rest", async () => {
    const clean = await folder.open("clean");
    await clean.store.setUp();
    await clean.store.setUp();
    await clean.exec(
      `insert into clean with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500)
       select 'k' || i, 'f', 't', null, case when i % 2 then 1 else 9e15 end from n`,
    );

    expect(await clean.store.cleanUp()).toBe(1_250);

    expect(await clean.rows("select count(*) as count from clean")).toEqual([{ count: 1_250 }]);
    const [plan] = await clean.rows("explain query plan select key from clean where until <= 1 limit 1000");
    expect(plan!.detail).toContain("INDEX");
  });

  it("rejects without its table", async () => {
    const astray = await folder.open("nowhere");

    await expect(astray.store.claim("k", "f", 1)).rejects.toMatchObject({ code: "ERR_SQLITE_ERROR" });
  });
});
