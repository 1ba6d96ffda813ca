import { type RetryOptions, retry, stopAfterAttempt } from "undaunted";
import { instant } from "undaunted/testing";
import { classifyRedisError, type RetryIfTransientOptions, retryIfTransient } from "undaunted/transient";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { PATIENCE } from "../limits.js";
import { failureOf } from "./calls.js";
import { DRIVERS } from "./redis-drivers.js";
import { freePort, proxy, type Redis, startRedis, type TcpProxy, whatIsMissing } from "./servers/index.js";
import { until } from "./servers/until.js";

const missing = whatIsMissing("redis");

describe.skipIf(missing)(`Redis${missing ? ` (${missing})` : ""}`, () => {
  let server: Redis;
  let link: TcpProxy;

  beforeAll(async () => {
    server = await startRedis();
    link = await proxy(server);
  });

  afterAll(async () => {
    await link?.close();
    await server?.close();
  });

  beforeEach(async () => {
    await server.ask("FLUSHALL");
  });

  function policy(wants: RetryIfTransientOptions = {}, more: RetryOptions = {}): RetryOptions {
    return { stop: stopAfterAttempt(4), retryIf: retryIfTransient(wants), ...instant, ...more };
  }

  const sends =
    (...words: string[]) =>
    async () =>
      void (await server.ask(...words));

  /** Resolves once a client waits in the server. */
  function waiting(): Promise<void> {
    const look = async () => {
      const clients = await server.ask("INFO", "clients");
      if (!clients.includes("blocked_clients:1")) throw new Error(clients);
    };
    return until(look, PATIENCE, () => "nobody waits");
  }

  describe.each(Object.entries(DRIVERS))("through %s:", (_, open) => {
    /** What one command answers, on a connection of its own. */
    async function send(words: readonly string[], target: { readonly port: number } = server) {
      const connection = await open(target);
      try {
        return await connection.send(...words);
      } finally {
        connection.close();
      }
    }

    it("a replica that has become one lets even a write be tried again", async () => {
      await server.ask("REPLICAOF", "127.0.0.1", String(await freePort()));
      const call = retry(() => send(["INCR", "n"]), policy({}, { onRetry: sends("REPLICAOF", "NO", "ONE") }));

      expect(await call()).toBe(1);

      expect(call.stats.attempts).toBe(2);
    });

    it("a write that a replica refuses fails as it is while the server remains one", async () => {
      await server.ask("REPLICAOF", "127.0.0.1", String(await freePort()));
      const call = retry(() => send(["INCR", "n"]), policy());

      const error = await failureOf(call());
      await server.ask("REPLICAOF", "NO", "ONE");

      expect(error).toMatchObject({ message: expect.stringMatching(/^READONLY /) });
      expect(call.stats.attempts).toBe(4);
    });

    it("a server that is loading lets even a write be tried again", async () => {
      await server.ask("SET", "n", "5");
      await server.restartLoading();
      const call = retry(() => send(["INCR", "n"]), policy({}, { onRetry: () => server.finishLoading() }));

      expect(await call()).toBe(6);

      expect(call.stats.attempts).toBe(2);
    });

    it("too few replicas let even a write be tried again", async () => {
      await server.ask("CONFIG", "SET", "min-replicas-to-write", "1");
      const finds = sends("CONFIG", "SET", "min-replicas-to-write", "0");
      const call = retry(() => send(["INCR", "n"]), policy({}, { onRetry: finds }));

      expect(await call()).toBe(1);

      expect(call.stats.attempts).toBe(2);
    });

    it("too many clients are waited out", async () => {
      await server.ask("CONFIG", "SET", "maxclients", "1");
      const taken = await open(server);
      const leave = async () => {
        taken.close();
        await until(moreClients, PATIENCE, () => "no client has left");
      };
      onTestFinished(leave);
      const call = retry(() => send(["SET", "n", "1"]), policy({ idempotent: true }, { onRetry: leave }));

      expect(await call()).toBe("OK");

      expect(call.stats.attempts).toBe(2);
    });

    /** Works only where the server has room for one more. */
    async function moreClients(): Promise<void> {
      const answer = await server.ask("CONFIG", "SET", "maxclients", "100");
      if (answer !== "+OK") throw new Error(answer);
    }

    it.each(["stop", "kill"] as const)(
      "a server that ends in mid-command (%s) answers once it is back",
      async (end) => {
        let ended: Promise<void> | undefined;
        const startAgain = async () => {
          await ended;
          await server.start();
          await server.ask("LPUSH", "list", "item");
        };
        const call = retry(() => send(["BLPOP", "list", "30"]), policy({ idempotent: true }, { onRetry: startAgain }));
        const answer = call();
        await waiting();

        ended = server[end]();

        expect(await answer).toEqual(["list", "item"]);
        expect(call.stats.attempts).toBe(2);
      },
    );

    it("a command under way when its connection is lost is not sent again where nobody says so", async () => {
      const call = retry(() => send(["BLPOP", "list", "30"], link), policy());
      const failed = failureOf(call());
      await waiting();

      link.cut();

      expect(classifyRedisError(await failed)).toBe("idempotent");
      expect(call.stats.attempts).toBe(1);
    });

    it.each(["reset", "end"] as const)(
      "an INCR whose answer is lost is not sent again: it is done (%s)",
      async (how) => {
        const call = retry(() => send(["INCR", "n"], link), policy());
        const cut = link.cutAfter(/INCR/, how);

        const error = await failureOf(call());
        await cut;

        expect(classifyRedisError(error)).toBe("idempotent");
        expect(call.stats.attempts).toBe(1);
        expect(await server.ask("GET", "n")).toBe("1");
      },
    );

    it("an INCR whose answer is lost is done twice where it is called idempotent", async () => {
      const call = retry(() => send(["INCR", "n"], link), policy({ idempotent: true }));
      void link.cutAfter(/INCR/);

      expect(await call()).toBe(2);

      expect(call.stats.attempts).toBe(2);
    });

    it("a SET whose answer is lost is sent again, and the value is what it should be", async () => {
      const call = retry(() => send(["SET", "n", "7"], link), policy({ idempotent: true }));
      void link.cutAfter(/SET/);

      expect(await call()).toBe("OK");

      expect(call.stats.attempts).toBe(2);
      expect(await server.ask("GET", "n")).toBe("7");
    });

    it.each(["reset", "end"] as const)(
      "an answer that is cut in its midst is had in full at the second attempt (%s)",
      async (how) => {
        const text = "x".repeat(100_000);
        await server.ask("SET", "text", text);
        const [one, two] = [await open(link), await open(link)];
        const connections = [one, two];
        const call = retry(() => connections.pop()!.send("GET", "text"), policy({ idempotent: true }));
        void link.cutInAnswer(50_000, how);

        const answer = await call();
        one.close();
        two.close();

        expect(answer).toBe(text);
        expect(call.stats.attempts).toBe(2);
      },
    );

    it("a network that refuses connections is waited out", async () => {
      const call = retry(
        () => send(["SET", "n", "1"], link),
        policy({ idempotent: true }, { onRetry: () => link.passThrough() }),
      );
      await link.refuse();

      expect(await call()).toBe("OK");

      expect(call.stats.attempts).toBe(2);
    });

    it.each([
      ["a key of another type", "WRONGTYPE", ["INCR", "list"]],
      ["a value that is no number", "ERR", ["INCR", "text"]],
      ["a command that is unknown", "ERR", ["NOWHERE"]],
      ["too few arguments", "ERR", ["GET"]],
      ["a script that is not loaded", "NOSCRIPT", ["EVALSHA", "0".repeat(40), "0"]],
    ])("what is refused for good is sent once, whatever may be repeated: %s", async (_, word, command) => {
      await server.ask("LPUSH", "list", "item");
      await server.ask("SET", "text", "a");
      const call = retry(() => send(command), policy({ idempotent: true, unknown: true }));

      await expect(call()).rejects.toThrow(new RegExp(`^${word} `));

      expect(call.stats.attempts).toBe(1);
    });
  });
});
