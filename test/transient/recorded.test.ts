import { readFileSync } from "node:fs";
import {
  classifyError,
  classifyGrpcError,
  classifyMysqlError,
  classifyPostgresError,
  classifyRedisError,
} from "undaunted/transient";
import { describe, expect, it } from "vitest";
import grpc from "./fixtures/grpc.json" with { type: "json" };
import ioredis from "./fixtures/ioredis.json" with { type: "json" };
import mariadb from "./fixtures/mariadb.json" with { type: "json" };
import mysql2 from "./fixtures/mysql2.json" with { type: "json" };
import pg from "./fixtures/pg.json" with { type: "json" };
import redis from "./fixtures/redis.json" with { type: "json" };
import { revive } from "./fixtures/revive.js";
import { verdicts } from "./verdicts.js";

// What the drivers really threw, each failure provoked on a real server, and what is to be made of it.
const recordings = [
  ["pg", pg, classifyPostgresError],
  ["mysql2", mysql2, classifyMysqlError],
  ["mariadb", mariadb, classifyMysqlError],
  ["ioredis", ioredis, classifyRedisError],
  ["redis", redis, classifyRedisError],
  ["grpc", grpc, classifyGrpcError],
] as const;

it("the docs say how many there are", () => {
  const page = readFileSync(new URL("../../docs/transient-errors.md", import.meta.url), "utf8").replaceAll("\n", " ");
  const count = recordings.reduce((sum, [, recorded]) => sum + recorded.length, 0);

  expect(page).toContain(`\`test/transient/fixtures\`, ${count} failures in all`);
});

describe.each(recordings)("%s", (driver, recorded, classify) => {
  const failures = recorded.map((each) => [`${each.phase}: ${each.failure}`, revive(each)] as const);
  const expected = Object.entries(verdicts[driver]!).flatMap(([verdict, names]) =>
    names!.map((name) => [name, verdict] as const),
  );
  const verdictOf = new Map(expected);

  it("has a verdict for each failure, and no other", () => {
    expect(expected.map(([name]) => name).sort()).toEqual(failures.map(([name]) => name).sort());
  });

  it.each(failures)("%s", (name, error) => {
    expect(classify(error)).toBe(verdictOf.get(name));
  });

  it.each(failures)("%s, asked of all classifiers", (name, error) => {
    expect(classifyError(error)).toBe(verdictOf.get(name));
  });

  it.each(failures)("%s, as the cause of another error", (name, cause) => {
    expect(classify(new Error("the repository failed", { cause }))).toBe(verdictOf.get(name));
  });
});
