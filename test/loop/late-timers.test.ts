import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { circuitBreaker, retry, stopAfterAttempt, waitNone } from "undaunted";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { busy, refuseUnhandledRejections } from "./interrupting.ts";

refuseUnhandledRejections();

// The server has a thread of its own, which goes on while this one is blocked, and says when it has answered.
const SERVER = `
  const net = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const answered = new Int32Array(workerData);
  net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write("pong", () => {
      Atomics.add(answered, 0, 1);
      Atomics.notify(answered, 0);
    }));
  }).listen(0, "127.0.0.1", function () { parentPort.postMessage(this.address().port); });
`;

const TIMEOUT = 40;
const answered = new Int32Array(new SharedArrayBuffer(4));
let server: Worker;
let port: number;
let socket: Socket;

beforeAll(async () => {
  server = new Worker(SERVER, { eval: true, workerData: answered.buffer });
  port = await new Promise((resolve) => server.once("message", resolve));
});

afterAll(() => server.terminate());

beforeEach(async () => {
  socket = connect(port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
});

afterEach(() => socket.destroy());

/** Asks the server, and blocks this thread until it has answered and the timeout has passed. */
function askAndBlock(start: (block: () => void) => void = setImmediate): Promise<string> {
  const before = Atomics.load(answered, 0);
  const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  socket.write("ping");
  start(() => {
    const end = performance.now() + 2 * TIMEOUT;
    while (Atomics.load(answered, 0) === before || performance.now() < end);
  });
  return answer;
}

const timeouts = [
  { attemptTimeout: TIMEOUT },
  { totalTimeout: TIMEOUT },
  { attemptTimeout: TIMEOUT, totalTimeout: 10 * TIMEOUT },
];

it.each(timeouts)(
  "an answer that is there when a blocked event loop goes on counts, and its breaker stays closed: %o",
  async (options) => {
    const breaker = circuitBreaker({ consecutiveFailures: 1 });
    const late: unknown[] = [];
    const call = retry(
      breaker.wrap(() => askAndBlock()),
      {
        ...options,
        stop: stopAfterAttempt(1),
        onLateResult: (outcome) => late.push(outcome),
      },
    );

    // By a timer of its own, and by one that many share.
    const answers = [await call(), await call(), await call()];

    expect(answers).toEqual(["pong", "pong", "pong"]);
    expect([breaker.state, late]).toEqual(["closed", []]);
  },
);

it.each([{ attemptTimeout: TIMEOUT }, { totalTimeout: TIMEOUT }])(
  "an answer counts although its call began, and blocked the event loop, while a late timer let the answer before it go first: %o",
  async (options) => {
    const call = retry(() => askAndBlock((block) => block()), { ...options, stop: stopAfterAttempt(1) });
    const answers: string[] = [];

    for (let n = 0; n < 7; n++) answers.push(await call());

    expect(answers).toEqual(Array(7).fill("pong"));
  },
);

it.each([{ attemptTimeout: TIMEOUT }, { totalTimeout: TIMEOUT }])(
  "an answer to a later attempt that is there when a blocked event loop goes on counts: %o",
  async (options) => {
    let calls = 0;
    const call = retry(() => (++calls < 3 ? Promise.reject(busy) : askAndBlock()), {
      ...options,
      stop: stopAfterAttempt(3),
      wait: waitNone,
    });

    expect(await call()).toBe("pong");
    calls = 0;
    expect(await call()).toBe("pong");
  },
);

it.each(timeouts)(
  "a call whose answer is not there when a blocked event loop goes on ends all the same: %o",
  async (options) => {
    const call = retry(
      () => {
        setImmediate(() => {
          const end = performance.now() + 2 * TIMEOUT;
          while (performance.now() < end);
        });
        return new Promise(() => {});
      },
      { ...options, stop: stopAfterAttempt(1) },
    );
    const name = "attemptTimeout" in options ? "AttemptTimeoutError" : "TotalTimeoutError";

    for (let n = 0; n < 3; n++) await expect(call()).rejects.toMatchObject({ name });
  },
);
