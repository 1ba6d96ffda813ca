import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import mysql from "mysql2/promise";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { PATIENCE } from "../limits.js";
import {
  type Mariadb,
  type Postgres,
  type Redis,
  startMariadb,
  startPostgres,
  startRedis,
  whatIsMissing,
} from "./servers/index.js";

/** Whether somebody takes connections there. */
async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Why a suite is skipped, for its title. */
const reason = (missing: string | undefined) => (missing ? ` (${missing})` : "");

const noPostgres = whatIsMissing("postgres");
const noMariadb = whatIsMissing("mariadb");
const noRedis = whatIsMissing("redis");

describe.skipIf(noPostgres)(`PostgreSQL${reason(noPostgres)}`, () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ max_connections: 17 });
  });
  afterAll(() => server?.close());

  /** What one query answers, on a connection of its own. */
  async function query(text: string) {
    const client = new pg.Client(server.connection);
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  it("runs with the settings given", async () => {
    expect(await query("show max_connections")).toEqual([{ max_connections: "17" }]);
  });

  it.each(["fast", "smart", "immediate"] as const)("keeps what was committed when it is stopped (%s)", async (how) => {
    const client = new pg.Client(server.connection);
    await client.connect();
    await client.query(`create table kept_${how} as select 1 as one`);
    await client.end();

    await server.stop(how);
    await server.start();

    expect(await query(`select * from kept_${how}`)).toEqual([{ one: 1 }]);
  });

  it("keeps what was committed when it is killed", async () => {
    const client = new pg.Client(server.connection);
    await client.connect();
    await client.query("create table kept_killed as select 1 as one");
    await client.end();

    await server.kill();
    await server.start();

    expect(await query("select * from kept_killed")).toEqual([{ one: 1 }]);
  });

  it("waits until the last process of the one that was killed is gone", async () => {
    const client = new pg.Client(server.connection);
    client.on("error", () => {});
    await client.connect();
    // It looks at nothing else before it has ended.
    const busy = client.query(`do $$ declare till timestamptz := clock_timestamp() + interval '2 s';
        begin while clock_timestamp() < till loop end loop; end $$`);
    // A process that is orphaned may yet end what it does, and even answer.
    const settled = busy.catch(() => {}).then(() => client.end());
    await expect
      .poll(() => query("select 1 from pg_stat_activity where query like 'do %' and state = 'active'"))
      .toHaveLength(1);

    await server.kill();
    await server.start();

    expect(server.log()).toContain("is still in use");
    await settled;
  });

  it("is gone while it is stopped, and comes back on the same port", async () => {
    await server.stop();
    const whileStopped = await listens(server.port);
    await server.start();

    expect(whileStopped).toBe(false);
    expect(await listens(server.port)).toBe(true);
  });

  it("takes settings for one start only", async () => {
    await server.stop();
    await server.start({ max_connections: 18 });
    const meanwhile = await query("show max_connections");
    await server.stop();
    await server.start();

    expect(meanwhile).toEqual([{ max_connections: "18" }]);
    expect(await query("show max_connections")).toEqual([{ max_connections: "17" }]);
  });

  it("cannot be started twice", async () => {
    await expect(server.start()).rejects.toThrow("running already");
  });

  it("leaves no folder behind, not even after a crash", async () => {
    const other = await startPostgres();
    await other.kill();

    await other.close();

    expect(existsSync(other.folder)).toBe(false);
  });

  it("says what its log says when it cannot start, and leaves nothing behind", async () => {
    const folder = mkdtempSync(join(tmpdir(), "undaunted-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    // The server's own user has to find its way.
    chmodSync(folder, 0o755);
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());

    const failed = startPostgres({ nonsense: 1 });

    await expect(failed).rejects.toThrow('unrecognized configuration parameter "nonsense"');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.skipIf(noMariadb)(`MariaDB${reason(noMariadb)}`, () => {
  let server: Mariadb;
  beforeAll(async () => {
    server = await startMariadb({ "max-connections": 17 });
  });
  afterAll(() => server?.close());

  async function query(text: string) {
    const client = await mysql.createConnection(server.connection);
    try {
      return (await client.query(text))[0];
    } finally {
      await client.end();
    }
  }

  it("runs with the settings given", async () => {
    expect(await query("select @@max_connections as most")).toEqual([{ most: 17 }]);
  });

  it.each(["stop", "kill"] as const)("keeps what was committed through %s and start", async (end) => {
    await query(`create table kept_${end} as select 1 as one`);

    await server[end]();
    const whileDown = await listens(server.port);
    await server.start();

    expect(whileDown).toBe(false);
    expect(await query(`select * from kept_${end}`)).toEqual([{ one: 1 }]);
  });
});

describe.skipIf(noRedis)(`Redis${reason(noRedis)}`, () => {
  let server: Redis;
  beforeAll(async () => {
    server = await startRedis({ maxclients: 170 });
  });
  afterAll(() => server?.close());

  it("runs with the settings given", async () => {
    expect(await server.ask("INFO", "clients")).toContain("maxclients:170");
  });

  it("keeps its data when it is stopped", async () => {
    await server.ask("SET", "kept", "one");

    await server.stop();
    await server.start();

    expect(await server.ask("GET", "kept")).toBe("one");
  });

  it("is loading until it is told to finish, with its data at the end", async () => {
    await server.ask("SET", "loaded", "one");

    await server.restartLoading();
    const meanwhile = [await server.ask("GET", "loaded"), await server.ask("GET", "loaded")];
    await server.finishLoading();

    expect(meanwhile).toEqual(Array(2).fill("-LOADING Redis is loading the dataset in memory"));
    expect(await server.ask("GET", "loaded")).toBe("one");
  });

  it("answers only when it thaws", async () => {
    const other = await startRedis();
    onTestFinished(() => other.close());

    server.freeze();
    let isFrozen = true;
    const answered = server.ask("PING").then((answer) => ({ answer, isFrozen }));
    for (let n = 0; n < 20; n++) await other.ask("PING");
    isFrozen = false;
    server.thaw();

    expect(await answered).toEqual({ answer: "+PONG", isFrozen: false });
  });

  it("ends with the process that started it, even if that is killed, and its folder too", async () => {
    const module = new URL("./servers/index.ts", import.meta.url);
    const code = `import { startRedis } from "${module}";
      startRedis().then(({ port, folder }) => console.log(JSON.stringify({ port, folder })));`;
    const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(createInterface(parent.stdout), "line");
    const { port, folder } = JSON.parse(line);
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {});
    const gone = new Promise((resolve) => void socket.resume().once("close", resolve));

    parent.kill("SIGKILL");

    await gone;
    await expect.poll(() => existsSync(folder), { timeout: PATIENCE }).toBe(false);
    expect(folder.startsWith(join(tmpdir(), "undaunted-redis-"))).toBe(true);
  });
});

describe("what is missing", () => {
  /** A folder with programs of these names. */
  function folderWith(...programs: string[]) {
    const folder = mkdtempSync(join(tmpdir(), "undaunted-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const program of programs) writeFileSync(join(folder, program), "", { mode: 0o755 });
    return folder;
  }

  it.each([
    ["postgres", "PostgreSQL is not installed; `apt-get install -y postgresql` installs it"],
    ["mariadb", "MariaDB is not installed; `apt-get install -y mariadb-server` installs it"],
    ["redis", "Redis is not installed; `apt-get install -y redis-server` installs it"],
  ] as const)("says how %s is installed", (name, says) => {
    expect(whatIsMissing(name, [folderWith()])).toBe(says);
  });

  it("is said where one program of several is not there", () => {
    expect(whatIsMissing("postgres", [folderWith("postgres")])).toBeDefined();
  });

  it("is nothing where all programs are there, in any folders", () => {
    expect(whatIsMissing("postgres", [folderWith("postgres"), folderWith("initdb")])).toBeUndefined();
  });
});
