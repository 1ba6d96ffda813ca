import "reflect-metadata";
import type { AddressInfo } from "node:net";
import type { INestApplication } from "@nestjs/common";
import { type ClientProxy, ClientProxyFactory, Transport } from "@nestjs/microservices";
import { SchedulerRegistry } from "@nestjs/schedule";
import { DocumentBuilder, SwaggerModule } from "@nestjs/swagger";
import { firstValueFrom } from "rxjs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ADAPTERS, type Adapter, breaker, failures, heard, log, slots, start } from "./app.js";

describe.each(Object.keys(ADAPTERS) as Adapter[])("Nest on %s", (adapter) => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    ({ app, url } = await start(adapter));
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    log.length = 0;
    failures.clear();
    breaker.close();
  });

  const post = (path: string, body: unknown, role = "admin") =>
    fetch(`${url}/orders/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-role": role },
    });

  const places = ["outermost", "innermost", "between", "applied"];

  it.each(places)(
    "retries a controller's method where @Retry stands %s, behind one guard and one pipe",
    async (place) => {
      const response = await post(place, { amount: 5 });

      expect([response.status, response.headers.get("x-kind"), await response.json()]).toEqual([
        202,
        "order",
        { amount: 5 },
      ]);
      expect(log).toEqual(["guard of admin", "pipe", place, place]);
    },
  );

  it.each(places)("refuses a request once where @Retry stands %s, by its guard", async (place) => {
    const { status } = await post(place, { amount: 5 }, "guest");

    expect(status).toBe(403);
    expect(log).toEqual(["guard of admin"]);
  });

  it.each(places)("refuses a body that is not the type of the parameter where @Retry stands %s", async (place) => {
    const { status } = await post(place, { amount: "five" });

    expect(status).toBe(400);
    expect(log).not.toContain(place);
  });

  it.each(["outermost", "innermost"])(
    "ends in the method's own exception where @Retry stands %s and it fails each time",
    async (place) => {
      failures.set(place, 9);

      const response = await post(place, { amount: 5 });

      expect(await response.json()).toMatchObject({ statusCode: 503, message: "busy" });
      expect(log.filter((line) => line === place)).toHaveLength(4);
    },
  );

  it.each(["between", "applied"])(
    "answers 503 by a filter where @Retry stands %s around a breaker that opened meanwhile",
    async (place) => {
      failures.set(place, 9);

      const response = await post(place, { amount: 5 });

      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "30"]);
      expect(log.filter((line) => line === place)).toHaveLength(3);
    },
  );

  it("describes every method to swagger, wherever @Retry stands", () => {
    const { paths, components } = SwaggerModule.createDocument(app, new DocumentBuilder().build());

    for (const place of places) {
      const { post: operation } = paths[`/orders/${place}`]!;
      expect(operation).toMatchObject({
        summary: "an order",
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Order" } } } },
        responses: { 202: { content: { "application/json": { schema: { $ref: "#/components/schemas/Order" } } } } },
      });
    }
    expect(components?.schemas).toHaveProperty("Order");
  });

  it("retries a service's method behind a bulkhead and a breaker", async () => {
    const response = await fetch(`${url}/orders/service/7`);

    expect(await response.json()).toEqual({ id: 7 });
    expect(log).toEqual(["service", "service"]);
    expect([slots.inFlight, breaker.state]).toEqual([0, "closed"]);
  });

  it("runs an idempotent method of a service once for its key, after the attempt that failed", async () => {
    failures.set("book", 0);

    const response = await fetch(`${url}/orders/booked/${adapter}`);

    const booked = `${adapter} booked`;
    expect(await response.json()).toEqual({ first: booked, second: booked });
    expect(log).toEqual(["book"]);
  });

  it("retries a method of a provider that is made for each request", async () => {
    const response = await fetch(`${url}/orders/per-request`);

    expect(await response.json()).toEqual({ own: true });
    expect(log).toEqual(["per request", "per request"]);
  });

  it("does not retry an HttpException whose status does not pass", async () => {
    const response = await fetch(`${url}/orders/missing`);

    expect(response.status).toBe(404);
    expect(log).toEqual(["missing"]);
  });

  it.each(["below", "above", "applied"])("retries a cron job whose @Retry stands %s", async (name) => {
    await app.get(SchedulerRegistry).getCronJob(name).fireOnTick();

    await expect.poll(() => log).toEqual([`cron ${name}`, `cron ${name}`]);
  });

  it("registers an interval whose @Retry stands above", () => {
    expect(app.get(SchedulerRegistry).getIntervals()).toContain("interval");
  });

  describe("over a message transport", () => {
    let client: ClientProxy;

    beforeAll(async () => {
      const [microservice] = app.getMicroservices() as unknown as { server: { server: { address(): AddressInfo } } }[];
      const { port } = (microservice as any).serverInstance.server.address();
      client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: "127.0.0.1", port } });
    });
    afterAll(() => client?.close());

    it.each([
      ["below", "sum", 6],
      ["above", "max", 3],
    ])("retries a message's handler whose @Retry stands %s its pattern", async (where, cmd, answer) => {
      expect(await firstValueFrom(client.send({ cmd }, [1, 2, 3]))).toBe(answer);
      expect(log).toEqual([`message ${where}`, `message ${where}`]);
    });

    it("retries an event's handler", async () => {
      const order = new Promise<string>((resolve) => {
        heard.emit = resolve;
      });

      await firstValueFrom(client.emit("ordered", "A1"), { defaultValue: undefined });

      expect(await order).toBe("A1");
      expect(log).toEqual(["event", "event"]);
    });
  });
});
