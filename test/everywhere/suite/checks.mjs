// The checks that every runtime runs, on the package as it is published. No runtime's own module is imported here, and
// no test framework: a check is a sentence, the answer that makes it true, and a function that finds the answer out.
//
// A check gets the package's entries, `server`, the address of the server that plays each part (server.ts), `refused`,
// an address where nobody listens, and `decorated`, classes that a compiler has made of decorators. A part is played for
// each name anew, and `at` makes a name that no other run has.

const BUSY = new Error("busy");
const never = () => new Promise(() => {});

/** What a call rejects with, in one word where it is an error. */
const rejection = (promise) =>
  promise.then(
    (value) => `returned ${value}`,
    (error) => error?.name ?? error,
  );

let parts = 0;

/** A part of the server's for this check alone, and what it has been asked. */
function part(at, name) {
  const id = encodeURIComponent(`${at.run} ${++parts}`);
  return {
    url: `${at.server}/${name}/${id}`,
    async seen() {
      const response = await at.fetch(`${at.server}/seen/${id}`);
      return response.json();
    },
  };
}

const quick = ({ core }) => ({ wait: core.waitNone, budget: false });

export const CHECKS = [
  {
    says: "a call that fails twice is made three times",
    answer: ["ok", 3],
    async run({ core, testing }) {
      const call = testing.flaky([BUSY, BUSY, "ok"]);
      const value = await core.retry(call, { wait: core.waitNone })();
      return [value, call.calls.length];
    },
  },
  {
    says: "a delay is slept by the runtime's own timer",
    answer: ["a timer of 5 ms", "the next attempt"],
    run({ core }) {
      const seen = [];
      setTimeout(() => seen.push("a timer of 5 ms"), 5);
      let attempts = 0;
      const call = async () => {
        if (++attempts === 1) throw BUSY;
        seen.push("the next attempt");
        return seen;
      };
      return core.retry(call, { wait: core.waitFixed(60) })();
    },
  },
  {
    says: "an abort ends a sleep at once, with the signal's reason",
    answer: "the user left",
    run({ core }) {
      const controller = new AbortController();
      const call = core.retry(async () => Promise.reject(BUSY), {
        wait: core.waitFixed(3_600_000),
        signal: controller.signal,
        onRetry: () => void setTimeout(() => controller.abort("the user left"), 1),
      });
      return rejection(call());
    },
  },
  {
    says: "an AbortSignal.timeout ends a call",
    answer: "TimeoutError",
    async run({ core }) {
      // Node ends where nothing but such a signal is waited for.
      const kept = setTimeout(() => {}, 3_600_000);
      try {
        return await rejection(core.retry(never, { signal: AbortSignal.timeout(20) })());
      } finally {
        clearTimeout(kept);
      }
    },
  },
  {
    says: "an attempt that hangs is timed out, and its signal aborted",
    answer: ["AttemptTimeoutError", [true, true]],
    async run({ core }) {
      const signals = [];
      const hang = () => {
        signals.push(core.currentAttempt().signal);
        return never();
      };
      const call = core.retry(hang, { attemptTimeout: 20, wait: core.waitNone, stop: core.stopAfterAttempt(2) });
      const name = await rejection(call());
      return [name, signals.map((signal) => signal.aborted)];
    },
  },
  {
    says: "a deadline over all attempts ends a call",
    answer: "TotalTimeoutError",
    run: ({ core }) => rejection(core.retry(never, { totalTimeout: 20 })()),
  },
  {
    says: "a thousand calls are cancelled at once, and none is made again",
    answer: [1_000, 1_000],
    async run({ core }) {
      const controller = new AbortController();
      let attempts = 0;
      const call = core.retry(
        async () => {
          attempts++;
          throw BUSY;
        },
        { wait: core.waitFixed(30), signal: controller.signal },
      );
      const calls = Array.from({ length: 1_000 }, () => call().catch(() => "cancelled"));
      await new Promise((resolve) => setTimeout(resolve, 0));
      controller.abort();
      const ends = await Promise.all(calls);
      await new Promise((resolve) => setTimeout(resolve, 60));
      return [ends.filter((end) => end === "cancelled").length, attempts];
    },
  },
  {
    says: "three layers of four attempts make four calls",
    answer: ["busy", 4],
    async run({ core, testing }) {
      const server = testing.flaky(Array.from({ length: 64 }, () => BUSY));
      const quickly = { wait: core.waitNone };
      const service = core.retry(core.retry(core.retry(server, quickly), quickly), quickly);
      const { message } = await service().catch((error) => error);
      return [message, server.calls.length];
    },
  },
  {
    says: "a method with a standard decorator is retried",
    answer: ["42 at attempt 3", "42 is read at attempt 2"],
    run: ({ core, decorated }) => decorated.standard(core),
  },
  {
    says: "a method with a legacy decorator is retried",
    answer: ["42 at attempt 3", "42 is read at attempt 2"],
    run: ({ core, decorated }) => decorated.legacy(core),
  },
  {
    says: "a sync function sleeps between its attempts",
    answer: 2,
    async run({ core }) {
      let calls = 0;
      const read = () => {
        if (++calls === 1) throw BUSY;
        return calls;
      };
      try {
        return core.retrySync(read, { wait: core.waitFixed(1) })();
      } catch (error) {
        const { message } = error.cause ?? error;
        return message.slice(0, message.indexOf(":"));
      }
    },
  },
  {
    says: "a hook that fails changes nothing, and nobody need listen",
    answer: "ok",
    run({ core }) {
      const onSuccess = () => {
        throw new Error("this warning is part of the check");
      };
      return core.retry(async () => "ok", { onSuccess })();
    },
  },
  {
    says: "a breaker opens, and refuses without a call",
    answer: ["CircuitOpenError", "open", 2],
    async run({ core }) {
      let calls = 0;
      const breaker = core.circuitBreaker({ consecutiveFailures: 2 });
      const call = breaker.wrap(async () => {
        calls++;
        throw BUSY;
      });
      await rejection(call());
      await rejection(call());
      return [await rejection(call()), breaker.state, calls];
    },
  },
  {
    says: "a bulkhead bounds the calls in flight, while a budget pays for retries",
    answer: { most: 2, left: 0, attempts: 7, balance: 0 },
    async run({ core }) {
      const slots = core.bulkhead({ limit: 2, queue: 10 });
      const budget = core.retryBudget({ capacity: 5, perSuccess: 0, fade: Infinity, trickle: { upTo: 0 } });
      let [inFlight, most, attempts] = [0, 0, 0];
      const work = slots.wrap(async (fails) => {
        most = Math.max(most, ++inFlight);
        await new Promise((resolve) => setTimeout(resolve, 1));
        inFlight--;
        if (!fails) return;
        attempts++;
        throw BUSY;
      });
      const call = core.retry(work, { wait: core.waitNone, budget });
      await Promise.all(Array.from({ length: 6 }, () => call(false)));
      await rejection(call(true));
      await rejection(call(true));
      return { most, left: slots.inFlight, attempts, balance: budget.balance };
    },
  },
  {
    says: "a call that has returned is not run again under its key",
    answer: ["receipt 1", "receipt 1", "IdempotencyInFlightError", 1],
    async run({ idempotency }) {
      let runs = 0;
      const charge = idempotency.idempotent(async () => `receipt ${++runs}`, { key: (id) => id });
      const first = charge("A1");
      const meanwhile = await rejection(charge("A1"));
      return [await first, await charge("A1"), meanwhile, runs];
    },
  },
  {
    says: "a request is answered once for its Idempotency-Key",
    answer: [201, 201, "order 1"],
    async run({ server, serverSide, idempotency }) {
      let orders = 0;
      const options = { store: idempotency.memoryIdempotencyStore(), name: "orders", scope: "public" };
      const create = async () => new Response(`order ${++orders}`, { status: 201 });
      const handler = serverSide.idempotentHandler(create, options);
      const headers = { "idempotency-key": '"A1"', "content-type": "application/json" };
      const request = () => new Request(`${server}/orders`, { method: "POST", headers, body: "{}" });
      const first = await handler(request());
      const second = await handler(request());
      return [first.status, second.status, await second.text()];
    },
  },
  {
    says: "a virtual clock lets 30 days pass at once",
    answer: ["ok", 2_592_000_000, 0],
    async run({ core, testing }) {
      const clock = testing.virtualClock();
      const month = 2_592_000_000;
      const call = core.retry(testing.flaky([BUSY, "ok"]), { wait: core.waitFixed(month), clock });
      const result = call();
      await clock.advance(month);
      return [await result, clock.now(), clock.pending];
    },
  },
  {
    says: "a 503 is retried after what its Retry-After says",
    answer: ["ok", 2, [true]],
    async run(at) {
      const busy = part(at, "busy");
      const delays = [];
      const get = at.http.retryFetch({ onRetry: ({ delay }) => void delays.push(delay) });
      const response = await get(busy.url);
      return [await response.text(), (await busy.seen()).length, delays.map((delay) => delay >= 1_000)];
    },
  },
  {
    says: "a GET whose connection is reset is sent again",
    answer: ["ok", 3],
    async run(at) {
      const reset = part(at, "reset");
      const response = await at.http.retryFetch(quick(at))(reset.url);
      return [await response.text(), (await reset.seen()).length];
    },
  },
  {
    says: "a POST whose connection is reset is sent once",
    answer: ["NetworkError or TypeError", 1],
    async run(at) {
      const reset = part(at, "reset");
      const name = await rejection(at.http.retryFetch(quick(at))(reset.url, { method: "POST", body: "order" }));
      const seen = await reset.seen();
      return [/^(NetworkError|TypeError|Error)$/.test(name) ? "NetworkError or TypeError" : name, seen.length];
    },
  },
  {
    says: "a POST with an idempotency key is sent again, with the same key",
    answer: ["ok", 3, 1, true],
    async run(at) {
      const reset = part(at, "reset");
      const post = at.http.retryFetch({ ...quick(at), idempotencyKey: true });
      const response = await post(reset.url, { method: "POST", body: "order" });
      const text = await response.text();
      const keys = (await reset.seen()).map(({ key }) => key);
      return [text, keys.length, new Set(keys).size, /^"?[\da-f-]{36}"?$/.test(keys[0])];
    },
  },
  {
    says: "a GET that is refused is sent again",
    answer: 4,
    async run(at) {
      let sent = 0;
      const fetch = (...args) => {
        sent++;
        return at.fetch(...args);
      };
      await rejection(at.http.retryFetch({ ...quick(at), fetch })(at.refused));
      return sent;
    },
  },
  {
    says: "a POST that is refused is sent again, as nothing was sent",
    answer: 4,
    async run(at) {
      let sent = 0;
      const fetch = (...args) => {
        sent++;
        return at.fetch(...args);
      };
      await rejection(at.http.retryFetch({ ...quick(at), fetch })(at.refused, { method: "POST", body: "order" }));
      return sent;
    },
  },
  {
    says: "a server that hangs is asked again after attemptTimeout",
    answer: ["ok", 2],
    async run(at) {
      const hanging = part(at, "hanging");
      const response = await at.http.retryFetch({ ...quick(at), attemptTimeout: 300 })(hanging.url);
      return [await response.text(), (await hanging.seen()).length];
    },
  },
  {
    says: "an abort by the caller ends a request that hangs, with the caller's reason",
    answer: "the user left",
    run(at) {
      const controller = new AbortController();
      setTimeout(() => controller.abort("the user left"), 50);
      const get = at.http.retryFetch({ ...quick(at), attemptTimeout: 60_000 });
      return rejection(get(part(at, "silent").url, { signal: controller.signal }));
    },
  },
  {
    says: "a body that a function makes is made and sent anew",
    answer: ["ok", ["body 1", "body 2", "body 3"]],
    async run(at) {
      const busy = part(at, "flat");
      let made = 0;
      const response = await at.http.retryFetch(quick(at))(busy.url, { method: "PUT", body: () => `body ${++made}` });
      const text = await response.text();
      return [text, (await busy.seen()).map(({ body }) => body)];
    },
  },
  {
    says: "a breaker for each origin refuses requests to the one that is down",
    answer: ["CircuitOpenError", "ok"],
    async run(at) {
      const breaker = at.core.circuitBreakers({ key: at.http.originOf, consecutiveFailures: 2 });
      const get = at.http.retryFetch({ ...quick(at), breaker, stop: at.core.stopAfterAttempt(2) });
      await rejection(get(at.refused));
      const down = await rejection(get(at.refused));
      const up = await get(part(at, "fine").url);
      return [down, await up.text()];
    },
  },
  {
    says: "retryIfTransient sees that a fetch was refused",
    answer: 4,
    async run({ core, transient, fetch, refused }) {
      let calls = 0;
      const get = core.retry(
        async () => {
          calls++;
          return fetch(refused, { method: "POST", body: "order" });
        },
        { wait: core.waitNone, retryIf: transient.retryIfTransient() },
      );
      await rejection(get());
      return calls;
    },
  },
];

/** Runs them one after another: what each has found out, or the error that it ended in. */
export async function runChecks(at) {
  const found = {};
  for (const { says, run } of CHECKS) {
    try {
      found[says] = await run(at);
    } catch (error) {
      found[says] = `${error?.name}: ${error?.message}`;
    }
  }
  return found;
}
