import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import pg from "pg";
import { waitNone } from "undaunted";
import { type Opening, retryIterable } from "undaunted/iterable";
import { instant } from "undaunted/testing";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Postgres, startPostgres, whatIsMissing } from "../transient/servers/index.js";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const missing = whatIsMissing("postgres");

describe.skipIf(missing)(`a PostgreSQL cursor that is read by key${missing ? ` (${missing})` : ""}`, () => {
  let server: Postgres;

  beforeAll(async () => {
    server = await startPostgres({});
    const admin = new pg.Client(server.connection);
    await admin.connect();
    await admin.query("create table item as select id, id * id as square from generate_series(1, 500) id");
    await admin.end();
  });

  afterAll(() => server?.close());

  it("gives every row once through backends that are killed in the midst of it", async () => {
    const admin = new pg.Client(server.connection);
    await admin.connect();
    onTestFinished(() => admin.end());
    let opened = 0;
    let closed = 0;
    let backend = 0;

    async function* rows({ last }: Opening<{ id: number; square: number }>) {
      const client = new pg.Client(server.connection);
      client.on("error", () => {});
      opened++;
      try {
        await client.connect();
        backend = (await client.query("select pg_backend_pid() pid")).rows[0].pid;
        await client.query("begin");
        await client.query({
          text: "declare c cursor for select id, square from item where id > $1 order by id".replace(
            "$1",
            `${last?.id ?? 0}`,
          ),
        });
        for (;;) {
          const { rows } = await client.query("fetch 20 from c");
          if (rows.length === 0) return;
          yield* rows;
        }
      } finally {
        closed++;
        await client.end().catch(() => {});
      }
    }

    const seen: number[] = [];
    const stream = retryIterable(rows, instant);
    for await (const { id, square } of stream) {
      seen.push(id);
      expect(square).toBe(id * id);
      if (id % 150 === 0) await admin.query("select pg_terminate_backend($1, 5000)", [backend]);
    }

    expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
    expect([opened, closed]).toEqual([4, 4]);
    expect(stream.stats).toMatchObject({ attempts: 4, retries: 3, successes: 1 });
  });
});

describe("the body of a response", () => {
  it("is read on by range where the connection breaks, every byte once", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251));
    const ranges: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      const { range } = request.headers;
      ranges.push(range);
      const from = Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")![1]);
      response.writeHead(range ? 206 : 200, { "content-length": bytes.length - from });
      const end = Math.min(from + 40_000, bytes.length);
      response.write(bytes.subarray(from, end), () => (end < bytes.length ? response.destroy() : response.end()));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let got = 0;

    const body = retryIterable<Uint8Array>(
      async ({ signal }) => {
        const response = await fetch(url, { signal, headers: got > 0 ? { range: `bytes=${got}-` } : {} });
        return response.body as never;
      },
      { wait: waitNone },
    );
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      got += chunk.length;
      chunks.push(chunk);
    }

    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(ranges.length).toBeGreaterThan(1);
  });
});

describe("streams of Node and of the web", () => {
  const letters = ["a", "b", "c", "d"];
  const cutAfter = (count: number) =>
    async function* ({ count: from }: Opening<string>) {
      for (const letter of letters.slice(from, from + count)) yield letter;
      if (from + count < letters.length) throw new Error("cut");
    };

  it("are sources", async () => {
    const ofNode = retryIterable((opening: Opening<string>) => Readable.from(cutAfter(3)(opening)), { wait: waitNone });
    const ofTheWeb = retryIterable(
      (opening: Opening<string>) =>
        Readable.toWeb(Readable.from(cutAfter(3)(opening))) as never as AsyncIterable<string>,
      { wait: waitNone },
    );

    // What a stream had read ahead when it broke is lost with it, and read again.
    expect(await collect(ofNode)).toEqual(letters);
    expect(await collect(ofTheWeb)).toEqual(letters);
  });

  it("are made of a stream, which they read no further than they are read", async () => {
    let read = 0;
    const counted = () =>
      retryIterable(
        async function* (opening: Opening<string>) {
          for await (const letter of cutAfter(2)(opening)) {
            read++;
            yield letter;
          }
        },
        { wait: waitNone },
      );

    expect(await collect(Readable.from(counted()))).toEqual(letters);
    expect(await collect((ReadableStream as any).from(counted()) as AsyncIterable<string>)).toEqual(letters);
    read = 0;
    const half = (ReadableStream as any).from(counted(), { highWaterMark: 0 });
    const reader = half.getReader();
    await reader.read();
    await reader.read();
    await reader.cancel();

    expect(read).toBeLessThanOrEqual(3);
  });

  it("close their source when they are destroyed", async () => {
    let closed = 0;
    const stream = retryIterable(async function* () {
      try {
        for (;;) yield "x";
      } finally {
        closed++;
      }
    });
    const readable = Readable.from(stream);
    await once(readable, "readable");

    readable.destroy();
    await once(readable, "close");

    expect(closed).toBe(1);
  });
});
