import { retry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { barrier } from "../transient/calls.js";
import { type Database, startDatabase } from "./database.js";
import { stacks, type Work } from "./stacks/index.js";

// The gravest that a retry can do is to charge twice; the next is never to retry. Both through each ORM, by the plain
// predicate around the plain transaction.
const databases: Partial<Record<string, Database>> = {};

beforeAll(async () => {
  for (const name of ["postgres", "mariadb"] as const) databases[name] = await startDatabase(name);
});

afterAll(async () => {
  for (const database of Object.values(databases)) await database?.close();
});

describe.each(stacks.map((stack) => [stack.name, stack] as const))("%s", (_, stack) => {
  const database = () => databases[stack.database]!;

  beforeEach(async () => {
    await database().link.passThrough();
    await database().reset();
  });

  async function opened() {
    const orm = await database().open(stack);
    onTestFinished(() => void Promise.resolve(orm.close()).catch(() => {}));
    return orm;
  }

  const transient = (onRetry?: () => void) => ({
    retryIf: retryIfTransient(),
    stop: stopAfterAttempt(3),
    ...(onRetry && { onRetry }),
    ...instant,
  });

  it.each(["reset", "end"] as const)("charges once where the answer of COMMIT is lost (%s)", async (how) => {
    const orm = await opened();
    const lost = database().link.cutAfter(/commit/i, how);

    const charging = retry(() => orm.transaction((tx) => tx.charge()), transient())().catch(() => {});
    await lost;
    await charging;

    expect(await database().charges()).toBe(1);
  });

  it("charges once where the server could not be reached at first", async () => {
    const orm = await opened();
    await orm.raw("select 1");
    await database().link.refuse();
    database().link.cut();
    // A pool may not have noticed yet.
    await orm.raw("select 1").catch(() => {});
    let retries = 0;
    const patient = transient(() => {
      retries++;
      return database().link.passThrough();
    });

    await retry(() => orm.transaction((tx) => tx.charge()), patient)();

    expect(await database().charges()).toBe(1);
    expect(retries).toBeGreaterThanOrEqual(1);
  });

  it("charges once each where two transactions deadlock", async () => {
    const orm = await opened();
    const both = barrier(2);
    let retries = 0;
    const crossing = (first: number, second: number) =>
      retry(
        () =>
          orm.transaction(async (tx: Work) => {
            await tx.add(first, 1);
            await both();
            await tx.add(second, 1);
            await tx.charge();
          }),
        transient(() => {
          retries++;
        }),
      )();

    await Promise.all([crossing(1, 2), crossing(2, 1)]);

    expect(await database().charges()).toBe(2);
    expect(retries).toBeGreaterThanOrEqual(1);
  });
});
