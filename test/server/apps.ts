import "reflect-metadata";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import {
  Controller,
  HttpCode,
  HttpException,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  Post,
  Req,
  Res,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import {
  type IdempotentServerOptions,
  idempotentHandler,
  idempotentMiddleware,
  notDone,
  type TransactionPool,
  transactionOf,
} from "undaunted/server";

/** What the handler of a test does with one request; every framework lets it say the same. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: unknown;
  readonly throws?: Error;
  readonly notDone?: boolean;
}

export type Work = (body: unknown, tx: unknown) => Promise<Reply>;

export interface App {
  readonly url: string;
  close(): Promise<void>;
}

type Options = IdempotentServerOptions<any>;
type Start = (work: Work, options: Options) => Promise<App>;

async function listening(server: Server, close: () => unknown = () => {}): Promise<App> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/orders`,
    async close() {
      server.closeAllConnections();
      await close();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

const startNode: Start = async (work, options) => {
  const guard = idempotentMiddleware(options);
  const server = createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    Object.assign(req, { body: JSON.parse(Buffer.concat(chunks).toString() || "null") });
    guard(req, res, async () => {
      const reply = await work((req as { body?: unknown }).body, transactionOf(req));
      if (reply.notDone) notDone(res);
      if (reply.throws) throw reply.throws;
      res.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
      const text = JSON.stringify(reply.body ?? null);
      res.write(text.slice(0, 2));
      res.end(text.slice(2));
    });
  });
  return listening(server);
};

const startExpress: Start = async (work, options) => {
  const app = express();
  app.use(express.json({ limit: "1mb" }));
  app.post("/orders", idempotentMiddleware(options), async (req, res) => {
    const reply = await work(req.body, transactionOf(req));
    if (reply.notDone) notDone(res);
    if (reply.throws) throw reply.throws;
    res
      .status(reply.status ?? 200)
      .set(reply.headers ?? {})
      .json(reply.body ?? null);
  });
  // Express prints what it answers with 500.
  app.set("env", "test");
  return listening(createServer(app));
};

const startFastify: Start = async (work, options) => {
  const app = fastify();
  app.addHook("preHandler", idempotentMiddleware(options));
  app.post("/orders", async (request, reply) => {
    const made = await work(request.body, transactionOf(request));
    if (made.notDone) notDone(reply.raw);
    if (made.throws) throw made.throws;
    return reply
      .status(made.status ?? 200)
      .headers(made.headers ?? {})
      .send(made.body ?? null);
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return listening(app.server, () => app.close());
};

const startNest: Start = async (work, options) => {
  class Orders {
    async order(req: express.Request, res: express.Response) {
      const reply = await work(req.body, transactionOf(req));
      if (reply.notDone) notDone(res);
      if (reply.throws) throw reply.throws instanceof HttpException ? reply.throws : reply.throws;
      res.status(reply.status ?? 200).set(reply.headers ?? {});
      return reply.body ?? null;
    }
  }
  // As decorators do it, which this file is not compiled with.
  const method = Object.getOwnPropertyDescriptor(Orders.prototype, "order")!;
  Post()(Orders.prototype, "order", method);
  HttpCode(200)(Orders.prototype, "order", method);
  Req()(Orders.prototype, "order", 0);
  Res({ passthrough: true })(Orders.prototype, "order", 1);
  Controller("orders")(Orders);
  class Shop {
    configure(consumer: MiddlewareConsumer) {
      consumer.apply(idempotentMiddleware(options)).forRoutes(Orders);
    }
  }
  Module({ controllers: [Orders] })(Shop);
  const app: INestApplication = await NestFactory.create(Shop, new ExpressAdapter(), { logger: false });
  await app.listen(0, "127.0.0.1");
  return listening(app.getHttpServer(), () => app.close());
};

const startHono: Start = async (work, options) => {
  const guarded = async (request: Request, tx: unknown): Promise<Response> => {
    const reply = await work(JSON.parse((await request.text()) || "null"), tx);
    if (reply.throws) throw reply.notDone ? notDone(reply.throws) : reply.throws;
    const headers = new Headers({ "content-type": "application/json" });
    for (const [name, value] of Object.entries(reply.headers ?? {}))
      for (const each of [value].flat()) headers.append(name, each);
    const response = new Response(JSON.stringify(reply.body ?? null), { status: reply.status ?? 200, headers });
    return reply.notDone ? notDone(response) : response;
  };
  const handler = idempotentHandler(
    guarded as never,
    {
      ...options,
      onError: options.onError ?? (() => {}),
    } as Options & { transaction: TransactionPool },
  );
  const app = new Hono();
  app.post("/orders", (c) => handler(c.req.raw));
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  return listening(server as Server);
};

export const FRAMEWORKS: readonly (readonly [name: string, start: Start])[] = [
  ["Node's own server", startNode],
  ["Express 5", startExpress],
  ["Fastify", startFastify],
  ["Nest", startNest],
  ["Hono", startHono],
];
