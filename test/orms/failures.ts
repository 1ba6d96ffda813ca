import { barrier, failureOf } from "../transient/calls.js";
import type { Database } from "./database.js";
import type { Orm, Stack, Target, Work } from "./stacks/index.js";

export interface Provoking {
  readonly stack: Stack;
  readonly database: Database;
  /** Opens an ORM that is closed when the failure is over. */
  open(target?: Partial<Target>): Promise<Orm>;
}

/** What goes wrong, by the name that it has in the docs; each resolves what was thrown. */
export const FAILURES: Readonly<Record<string, (provoking: Provoking) => Promise<unknown>>> = {
  async "serialization failure"({ open, database }) {
    const orm = await open();
    return failureOf(
      orm.transaction(async (tx) => {
        await tx.read(1);
        await database.ask("update accounts set balance = balance + 1 where id = 1");
        await tx.add(1, 1);
      }, true),
    );
  },

  async deadlock({ open }) {
    const orm = await open();
    const both = barrier(2);
    const crossing = (first: number, second: number) =>
      orm.transaction(async (tx) => {
        await tx.add(first, 1);
        await both();
        await tx.add(second, 1);
      });
    return failureOf(Promise.all([crossing(1, 2), crossing(2, 1)]));
  },

  async "lock timeout"({ open, stack }) {
    const orm = await open();
    const impatient =
      stack.database === "postgres" ? "set local lock_timeout = 50" : "set innodb_lock_wait_timeout = 1";
    let failure: unknown;
    await orm.transaction(async (holder) => {
      await holder.add(1, 1);
      const waiting = orm.transaction(async (tx) => {
        await tx.raw(impatient);
        await tx.add(1, 1);
      });
      failure = await failureOf(waiting);
    });
    return failure;
  },

  async "backend killed in a statement"({ open, database, stack }) {
    const orm = await open();
    const running = failureOf(orm.raw(stack.database === "postgres" ? "select pg_sleep(30)" : "select sleep(30)"));
    await killSleeper(database, stack);
    return running;
  },

  async "backend killed in a transaction"({ open, database, stack }) {
    const orm = await open();
    return failureOf(
      orm.transaction(async (tx) => {
        await tx.add(1, 1);
        const running = tx.raw(stack.database === "postgres" ? "select pg_sleep(30)" : "select sleep(30)");
        await Promise.all([running, killSleeper(database, stack)]);
      }),
    );
  },

  async "server stopped"({ open, database }) {
    const orm = await open();
    await orm.raw("select 1");
    await database.link.refuse();
    database.link.cut();
    // A pool may not have noticed yet.
    await orm.raw("select 1").catch(() => {});
    return failureOf(orm.transaction((tx) => tx.charge()));
  },

  async "full pool"({ open }) {
    const orm = await open({ max: 1, patience: 300 });
    let failure: unknown;
    await orm.transaction(async (tx: Work) => {
      await tx.read(1);
      failure = await failureOf(orm.transaction((other) => other.read(1)));
    });
    return failure;
  },

  async "unique violation"({ open }) {
    const orm = await open();
    await orm.enter(1, 1);
    return failureOf(orm.enter(1, 1));
  },

  async "foreign key violation"({ open }) {
    const orm = await open();
    return failureOf(orm.enter(1, 99));
  },

  "COMMIT lost (reset)": (provoking) => lostCommit(provoking, "reset"),
  "COMMIT lost (end)": (provoking) => lostCommit(provoking, "end"),
};

async function lostCommit({ open, database }: Provoking, how: "reset" | "end"): Promise<unknown> {
  const orm = await open();
  const lost = database.link.cutAfter(/commit/i, how);
  const failure = failureOf(orm.transaction((tx) => tx.charge()));
  await lost;
  return failure;
}

const SLEEPERS = {
  postgres: "select pid as id from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()",
  mariadb: "select id from information_schema.processlist where info like '%sleep(30)%' and id <> connection_id()",
};

async function killSleeper(database: Database, { database: name }: Stack): Promise<void> {
  for (;;) {
    const [sleeper] = await database.ask(SLEEPERS[name]);
    if (!sleeper) continue;
    await database.ask(name === "postgres" ? `select pg_terminate_backend(${sleeper.id})` : `kill ${sleeper.id}`);
    return;
  }
}
