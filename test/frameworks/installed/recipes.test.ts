import "reflect-metadata";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type INestApplication, Module, NotFoundException } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { of } from "rxjs";
import { container as tsyringe } from "tsyringe";
import { bulkhead, circuitBreaker, Retry, stopAfterAttempt } from "undaunted";
import { Idempotent } from "undaunted/idempotency";
import { flaky, type TestRetries, testRetries } from "undaunted/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PATIENCE } from "../../limits.js";
import { Bank, HttpService, UsersApi } from "./api.js";
import { container as inversify, Users as UsersOfInversify } from "./recipes/inversify.js";
import { Charges } from "./recipes/nest-controller.js";
import { Resilient } from "./recipes/nest-decorator.js";
import { Weather } from "./recipes/nest-observable.js";
import { Users } from "./recipes/nest-service.js";
import { Sync } from "./recipes/nest-shutdown.js";
import { Users as UsersOfTsyringe } from "./recipes/tsyringe.js";

// The recipes of docs/frameworks.md, as they stand there, in what they are for.

let quick: TestRetries;
beforeEach(() => {
  quick = testRetries({ waits: false });
});
afterEach(() => quick.restore());

it("the recipes compile in an application with legacy decorators and their metadata", async () => {
  const [tsc, project] = ["../../../node_modules/typescript/bin/tsc", "."].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );

  const { stdout } = await promisify(execFile)(process.execPath, [tsc!, "-p", project!], { timeout: PATIENCE }).catch(
    (error) => error,
  );

  expect(stdout).toBe("");
});

describe("in Nest", () => {
  class Everything {}
  Module({ controllers: [Charges], providers: [UsersApi, Bank, HttpService, Users, Weather, Sync] })(Everything);
  let app: INestApplication;

  const start = async () => {
    const started = await NestFactory.create(Everything, new ExpressAdapter(), { logger: false, abortOnError: false });
    await started.listen(0, "127.0.0.1");
    return started;
  };
  beforeAll(async () => {
    app = await start();
  });
  afterAll(() => app?.close());

  it("a service retries an HttpException whose status passes, and does not count one that does not against its breaker", async () => {
    const [users, api] = [app.get(Users), app.get(UsersApi)];

    expect(await users.load("42")).toEqual({ id: "42" });
    for (let calls = 0; calls < 9; calls++) await expect(users.load("nobody")).rejects.toThrow(NotFoundException);

    expect(api.calls.filter((id) => id === "42")).toHaveLength(2);
    expect(api.calls.filter((id) => id === "nobody")).toHaveLength(9);
  });

  it("a service's breaker opens for what is down", async () => {
    await app
      .get(Users)
      .load("down")
      .catch(() => {});

    await expect(app.get(Users).load("down")).rejects.toThrow("the circuit is open");
  });

  it("a wrapped field ends with the application", async () => {
    quick.restore();
    const own = await start();
    const ended = expect(own.get(Sync).pull()).rejects.toThrow("shutting down");

    await own.close();

    await ended;
  });

  it("a controller's method charges once for an order, however often it is asked to", async () => {
    const charge = async (body: object) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${await app.getUrl()}/charges`, {
        method: "POST",
        body: JSON.stringify(body),
        headers,
      });
      return [response.status, await response.json()];
    };

    const answers = [await charge({ order: "A1", amount: 5 }), await charge({ order: "A1", amount: 5 })];
    const [status] = await charge({ order: "A1", amount: "five" });

    expect(answers).toEqual([
      [201, { receipt: "receipt 1 of A1" }],
      [201, { receipt: "receipt 1 of A1" }],
    ]);
    expect(status).toBe(400);
    expect(app.get(Bank).taken).toHaveLength(1);
  });

  it("a method asks for an Observable anew at each attempt", async () => {
    expect(await app.get(Weather).today()).toBe("rain");
    expect(app.get(HttpService).urls).toHaveLength(2);
  });

  it.each<[name: string, decorator: () => any]>([
    ["@Retry", () => Retry()],
    ["@slots.wrap", () => bulkhead({ limit: 1 }).wrap],
    ["@breaker.wrap", () => circuitBreaker().wrap],
    ["@Idempotent", () => Idempotent({ key: () => "key" })],
  ])("%s refuses a method that returns an Observable, after one call", async (_, decorator) => {
    let calls = 0;
    class Api {
      @decorator()
      load(): any {
        calls++;
        return of("rain");
      }
    }

    await expect(new Api().load()).rejects.toThrow("must not return an Observable");
    expect(calls).toBe(1);
  });

  it("one decorator made by applyDecorators retries around a bulkhead around a breaker", async () => {
    const server = flaky(Array.from({ length: 9 }, () => new Error("down")));
    class Api {
      @Resilient({ stop: stopAfterAttempt(9) })
      async load(): Promise<unknown> {
        return server();
      }
    }

    await expect(new Api().load()).rejects.toThrow("the circuit is open");

    expect(server.calls).toHaveLength(5);
  });
});

it("a service from tsyringe retries, with what was injected", async () => {
  const load = flaky([new Error("busy"), "Ada"]);
  tsyringe.register("load", { useValue: load });

  expect(await tsyringe.resolve(UsersOfTsyringe).load("42")).toBe("Ada");
  expect(load.calls).toEqual([["42"], ["42"]]);
});

it("a service from inversify retries, with what was injected", async () => {
  const load = flaky([new Error("busy"), "Ada"]);
  inversify.bind("load").toConstantValue(load);

  expect(await inversify.get(UsersOfInversify).load("42")).toBe("Ada");
  expect(load.calls).toEqual([["42"], ["42"]]);
});
