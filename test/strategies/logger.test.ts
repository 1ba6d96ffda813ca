import { Writable } from "node:stream";
import pino from "pino";
import { type Logger, type RetryLogEntry, retry, retryLogger, stopAfterAttempt, waitFixed } from "undaunted";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import winston from "winston";

const clock = {
  now: () => 0,
  setTimer(fn: () => void) {
    queueMicrotask(fn);
    return () => {};
  },
};
const busy = Object.assign(new TypeError("GET https://ada:secret@example.com/?key=secret failed\n\u001b[31mred"), {
  code: "EBUSY",
});

/** What a logger was called with. */
function recorder() {
  const calls: unknown[][] = [];
  const logger: Logger = {
    warn: (...args: unknown[]) => calls.push(["warn", ...args]),
    error: (...args: unknown[]) => calls.push(["error", ...args]),
  };
  return { logger, calls };
}

const giveUp = (hooks: ReturnType<typeof retryLogger>, outcomes: readonly unknown[] = [busy, busy]) =>
  retry(flaky(outcomes), { ...hooks, clock, name: "load", stop: stopAfterAttempt(2), wait: waitFixed(5) })(
    "secret",
  ).catch(() => {});

const MESSAGE = "TypeError: GET https://example.com/?… failed\\u000a\\u001b[31mred";

describe("the fields of a log line", () => {
  const failed = { errorType: "TypeError", errorCode: "EBUSY", errorMessage: MESSAGE };
  const retried = { policy: "load", attempt: 1, delay: 5, ...failed };
  const givenUp = { policy: "load", attempt: 2, reason: "stopped", ...failed };

  it("come first where pino wants them", async () => {
    const lines: Record<string, unknown>[] = [];
    const stream = new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });

    await giveUp(retryLogger(pino({ base: null, timestamp: false }, stream), { fields: "first" }));

    expect(lines).toEqual([
      { level: 40, ...retried, msg: `load: attempt 1 failed with ${MESSAGE}; the next follows in 5 ms` },
      { level: 50, ...givenUp, msg: `load: gave up (stopped) after 2 attempts: ${MESSAGE}` },
    ]);
  });

  it("come last where winston wants them", async () => {
    const lines: Record<string, unknown>[] = [];
    const stream = new Writable({
      write(chunk, _, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    const logger = winston.createLogger({
      format: winston.format.json(),
      transports: [new winston.transports.Stream({ stream })],
    });

    await giveUp(retryLogger(logger, { fields: "last" }));

    expect(lines).toEqual([
      { level: "warn", ...retried, message: `load: attempt 1 failed with ${MESSAGE}; the next follows in 5 ms` },
      { level: "error", ...givenUp, message: `load: gave up (stopped) after 2 attempts: ${MESSAGE}` },
    ]);
  });

  it("come last for console, and name no error where there is none", async () => {
    const { logger, calls } = recorder();
    const options = { clock, name: "poll", stop: stopAfterAttempt(1), retryIf: () => true };

    await retry(async () => Promise.reject(undefined), {
      ...options,
      ...retryLogger(logger, { fields: "last" }),
    })().catch(() => {});

    expect(calls).toEqual([
      [
        "error",
        "poll: gave up (stopped) after 1 attempt: undefined",
        { policy: "poll", attempt: 1, reason: "stopped" },
      ],
    ]);
  });
});

describe("a log line", () => {
  it("is one line without secrets, also where a name or a message is long or wild", async () => {
    const { logger, calls } = recorder();
    const wild = new Error(`https://x/?${"s".repeat(1_500)} ${"long ".repeat(2_000)}\u2028\u202e`);

    await retry(async () => Promise.reject(wild), {
      ...retryLogger(logger),
      ...{ name: "a\nb\u0007", stop: stopAfterAttempt(1) },
    })().catch(() => {});

    const [[, line]] = calls as [[string, string]];
    expect(line).toMatch(/^a\\u000ab\\u0007: gave up \(stopped\) after 1 attempt: Error: https:\/\/x\/\?…/);
    expect(line.length).toBeLessThan(300);
    expect(line).not.toMatch(/\p{Cc}|ssss/u);
  });

  it("goes through a redact of the caller's own", async () => {
    const { logger, calls } = recorder();

    await giveUp(retryLogger(logger, { redact: (text) => text.replaceAll("ada", "•••") }), [new Error("no ada")]);

    expect(calls[0]![1]).toBe("load: attempt 1 failed with Error: no •••; the next follows in 5 ms");
  });

  it("hands what was thrown, as it is, to a format of the caller's own", async () => {
    const { logger } = recorder();
    const entries: RetryLogEntry[] = [];

    await giveUp(
      retryLogger(logger, {
        format(entry) {
          entries.push(entry);
          return [];
        },
      }),
    );

    expect(entries.map(({ error }) => error)).toEqual([busy, busy]);
  });
});

describe("retryLogger with detail", () => {
  it("logs one record of a call, when it is over", async () => {
    const { logger, calls } = recorder();

    await giveUp(retryLogger(logger, { detail: true }));

    expect(calls).toEqual([
      [
        "error",
        [
          `load: gave up (stopped) after 2 attempts in 0 ms: ${MESSAGE}`,
          `  1: 0 ms, ${MESSAGE}; retryIf yes, stop no; the next in 5 ms (policy)`,
          `  2: 0 ms, ${MESSAGE}; retryIf yes, stop yes`,
        ].join("\n"),
      ],
    ]);
  });

  it("warns of a call that succeeded after a retry, and says nothing of one that succeeded at once", async () => {
    const { logger, calls } = recorder();
    const hooks = retryLogger(logger, { detail: true, fields: "last" });

    await giveUp(hooks, ["ok"]);
    await giveUp(hooks, [busy, "ok"]);

    expect(calls).toMatchObject([["warn", expect.stringMatching(/^load: succeeded after 2/), { record: { made: 2 } }]]);
  });
});

it.each([
  [{ fields: "both" }, 'retryLogger: fields must be "first" or "last", got "both"'],
  [{ fields: "first", format: () => [] }, "retryLogger: format and fields exclude each other, got both"],
  [{ detail: 1 }, "retryLogger: detail must be true or false, got 1"],
])("retryLogger refuses %o", (options, message) => {
  expect(() => retryLogger(console, options as never)).toThrow(message);
});
