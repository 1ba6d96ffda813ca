import { Cluster, Redis } from "ioredis";
import { createPool as createMariadbPool } from "mariadb";
import { createPool } from "mysql2/promise";
import { Client, Pool } from "pg";
import { createClient, createCluster } from "redis";
import { Retry, retry } from "undaunted";
import {
  type Claim,
  type IdempotencyInFlightError,
  type IdempotencyMismatchError,
  type IdempotencyRecordError,
  type IdempotencyState,
  type IdempotencyStore,
  Idempotent,
  idempotent,
  memoryIdempotencyStore,
  mysqlIdempotencyStore,
  newIdempotencyKey,
  postgresIdempotencyStore,
  redisIdempotencyStore,
} from "undaunted/idempotency";
import { virtualClock } from "undaunted/testing";
import { expectTypeOf, it } from "vitest";

// Compiled in both decorator modes, never run.

interface Order {
  readonly id: string;
  readonly amount: number;
}

const charge = async (order: Order, note?: string): Promise<{ receipt: string }> => ({ receipt: order.id + note });

it("is of the function's own type where that returns a plain promise", () => {
  const once = idempotent(charge, { key: (order) => order.id });

  const same: typeof charge = once;
  expectTypeOf(same).toEqualTypeOf(charge);
  expectTypeOf(once({ id: "a", amount: 1 })).toEqualTypeOf<Promise<{ receipt: string }>>();
  expectTypeOf(retry(once)({ id: "a", amount: 1 }, "note")).toEqualTypeOf<Promise<{ receipt: string }>>();
  // @ts-expect-error the first parameter is required
  once();
  // @ts-expect-error there is no third parameter
  once({ id: "a", amount: 1 }, "note", 1);
});

it("returns a promise for a sync function and for one of something more than a promise", () => {
  const length = idempotent((id: string) => id.length, { key: (id) => id });
  const plain: (this: unknown, id: string) => Promise<number> = length;
  expectTypeOf(plain("a")).toEqualTypeOf<Promise<number>>();
  expectTypeOf(length.settle).toEqualTypeOf<(key: string, value: number) => Promise<boolean>>();
  const query = () => Promise.resolve(1) as Promise<number> & { cancel(): void };
  expectTypeOf(idempotent(query, { key: () => "k" })()).toEqualTypeOf<Promise<number>>();
});

it("keeps generics open", () => {
  const once = idempotent(async <T>(value: T): Promise<T> => value, { key: () => "k" });

  expectTypeOf(once("a" as const)).toEqualTypeOf<Promise<"a">>();
});

it("types the key's and the fingerprint's parameters and this by the function's", () => {
  idempotent(charge, {
    key: (order, note) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(note).toEqualTypeOf<string | undefined>();
      return order.id;
    },
    fingerprint: ({ amount }) => String(amount),
  });
  idempotent(
    async function (this: { name: string }) {
      return this.name;
    },
    {
      key() {
        expectTypeOf(this).toEqualTypeOf<{ name: string }>();
        return this.name;
      },
    },
  );
});

it("types what decides about a key by the function's parameters and result", () => {
  const once = idempotent(charge, {
    key: (order) => order.id,
    onFailure: (error) => (error instanceof TypeError ? "free" : "hold"),
    wasDone: async (key, order, note) => {
      expectTypeOf(key).toEqualTypeOf<string>();
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(note).toEqualTypeOf<string | undefined>();
      return { value: { receipt: key } };
    },
    serialize: ({ receipt }) => receipt,
    deserialize: (receipt) => ({ receipt }),
    onReplay: ({ name, key, at }) => {
      expectTypeOf([name, key]).toEqualTypeOf<string[]>();
      expectTypeOf(at).toEqualTypeOf<number>();
    },
  });

  expectTypeOf(once.settle).parameter(1).toEqualTypeOf<{ receipt: string }>();
  expectTypeOf(once.forget("k")).toEqualTypeOf<Promise<boolean>>();
  expectTypeOf(once.peek("k")).toEqualTypeOf<Promise<IdempotencyState | undefined>>();
});

it("refuses what makes no sense", () => {
  // @ts-expect-error a key is needed
  idempotent(charge, {});
  // @ts-expect-error options are needed
  idempotent(charge);
  // @ts-expect-error a key is a string
  idempotent(charge, { key: (order) => order.amount });
  // @ts-expect-error a key is there at once
  idempotent(charge, { key: async (order) => order.id });
  // @ts-expect-error there is no such property of an order
  idempotent(charge, { key: (order) => order.number });
  // @ts-expect-error a fingerprint is a string
  idempotent(charge, { key: () => "k", fingerprint: (order) => order });
  // @ts-expect-error there is no such option
  idempotent(charge, { key: () => "k", ttl: 5 });
  // @ts-expect-error there is no third way
  idempotent(charge, { key: () => "k", inFlight: "queue" });
  // @ts-expect-error a failure means one of three things
  idempotent(charge, { key: () => "k", onFailure: () => "retry" });
  // @ts-expect-error a result is found as { value }
  idempotent(charge, { key: () => "k", wasDone: () => ({ receipt: "r" }) });
  // @ts-expect-error a map is no store
  idempotent(charge, { key: () => "k", store: new Map() });
});

it("takes every store, and one of the user's own", () => {
  const own: IdempotencyStore = {
    claim: async (key, fingerprint, lease): Promise<Claim> => ({
      state: "running",
      fingerprint,
      retryAfter: lease + key.length,
    }),
    renew: async () => true,
    record: async () => true,
    release: async () => {},
  };
  const stores = [
    own,
    memoryIdempotencyStore(),
    memoryIdempotencyStore({ clock: virtualClock() }),
    postgresIdempotencyStore(new Pool(), { table: "keys" }),
    postgresIdempotencyStore(new Pool()).within(new Client()),
    mysqlIdempotencyStore(createPool({}), { table: "`keys`" }),
    mysqlIdempotencyStore(createMariadbPool({})),
    redisIdempotencyStore(new Redis(), { prefix: "keys:" }),
    redisIdempotencyStore(new Cluster([])),
    redisIdempotencyStore(createClient()),
    redisIdempotencyStore(createClient({ RESP: 3 })),
    redisIdempotencyStore(createCluster({ rootNodes: [] })),
  ];

  for (const store of stores) idempotent(charge, { key: () => "k", name: "charge", store });
});

it("takes a client of PostgreSQL for one in a transaction", async () => {
  const store = postgresIdempotencyStore(await new Pool().connect());

  expectTypeOf(store.setUp()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(store.cleanUp()).toEqualTypeOf<Promise<number>>();
  // @ts-expect-error a connection string is no client
  postgresIdempotencyStore("postgres://localhost");
});

it("tells a claim apart by its state", (claim: Claim | object) => {
  const made = claim as Claim;

  if (made.state === "won") expectTypeOf(made.token).toEqualTypeOf<string>();
  else expectTypeOf(made.fingerprint).toEqualTypeOf<string>();
  if (made.state === "running") expectTypeOf(made.retryAfter).toEqualTypeOf<number>();
  if (made.state === "done") expectTypeOf(made.record).toEqualTypeOf<string>();
});

it("has errors with literal names and codes", () => {
  expectTypeOf<IdempotencyInFlightError["code"]>().toEqualTypeOf<"ERR_IDEMPOTENCY_IN_FLIGHT">();
  expectTypeOf<IdempotencyInFlightError["retryAfter"]>().toEqualTypeOf<number>();
  expectTypeOf<IdempotencyMismatchError["name"]>().toEqualTypeOf<"IdempotencyMismatchError">();
  expectTypeOf<IdempotencyRecordError["value"]>().toEqualTypeOf<unknown>();
  expectTypeOf(newIdempotencyKey()).toEqualTypeOf<string>();
});

// Methods keep their types.
class Shop {
  readonly name = "north";

  @Idempotent({ key: (order: Order) => order.id })
  async charge(order: Order, note?: string): Promise<{ receipt: string }> {
    return { receipt: order.id + note };
  }

  @Idempotent({
    key(this: Shop, item: string) {
      return this.name + item;
    },
    inFlight: "wait",
  })
  async order(item: string): Promise<string> {
    return item;
  }

  @Retry()
  @Idempotent({ key: (id: string) => id, name: "shared", store: memoryIdempotencyStore() })
  static async shared(id: string): Promise<number> {
    return id.length;
  }

  // @ts-expect-error a sync method would begin to return promises
  @Idempotent({ key: () => "k" })
  sync(): number {
    return 1;
  }
}

expectTypeOf(new Shop().charge).toEqualTypeOf<(order: Order, note?: string) => Promise<{ receipt: string }>>();

// @ts-expect-error a key is needed
Idempotent({});
// @ts-expect-error a key is a string
Idempotent({ key: () => 42 });
