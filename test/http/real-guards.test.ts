import { bulkheads, CircuitOpenError, circuitBreakers, type GiveUpReason, waitFixed, waitNone } from "undaunted";
import { originOf, retryFetch } from "undaunted/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { clients, driven, gaps, serving } from "./real-clients.js";
import { deadPort, hang, resetBeforeHeaders, respond, type Step } from "./servers/index.js";
import type { Exchange } from "./servers/step.js";

/** Answers when the test says so. */
function answeredLater() {
  const waiting: Exchange[] = [];
  const step: Step = { play: (exchange) => void waiting.push(exchange) };
  return { step, answerAll: () => waiting.splice(0).forEach((exchange) => void respond(200).play(exchange)) };
}

describe.each(clients)("%s", (_, client) => {
  describe("with a breaker for each origin", () => {
    it.each([
      ["500s", respond(500)],
      ["resets", resetBeforeHeaders()],
    ])("is called no more once %s have opened it", async (_what, step) => {
      const { clock, policy } = driven(client);
      const server = await serving([step], { now: clock.now });
      const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 3, clock });
      const api = retryFetch({ ...policy, breaker, wait: waitFixed(1_000) });

      await expect(api(server.url("/a"))).rejects.toThrow(CircuitOpenError);
      await expect(api(server.url("/b"))).rejects.toThrow(CircuitOpenError);

      expect(server.requests.map(({ path }) => path)).toEqual(["/a", "/a", "/a"]);
      expect(gaps(server)).toEqual([1_000, 1_000]);
      expect(breaker.get(server.origin).state).toBe("open");
    });

    it("is called all the same at another origin", async () => {
      const { clock, policy } = driven(client);
      const [down, up] = [await serving([respond(500)]), await serving([respond(200)])];
      const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 3, clock });
      const api = retryFetch({ ...policy, breaker, wait: waitNone });
      await api(down.url("/")).catch(() => {});

      const { status } = await api(up.url("/"));

      expect(status).toBe(200);
      expect(down.requests).toHaveLength(3);
    });

    it("is called again when the time that a Retry-After asked for is over", async () => {
      const { clock, policy } = driven(client);
      const script = [respond(503, { headers: { "retry-after": "45" } }), respond(200)];
      const server = await serving(script, { now: clock.now });
      const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 1, openFor: 10_000, clock });
      const api = retryFetch({ ...policy, breaker, stop: () => true });
      await api(server.url("/"));

      await clock.advance(44_999);
      await expect(api(server.url("/"))).rejects.toThrow(CircuitOpenError);
      await clock.advance(1);
      const { status } = await api(server.url("/"));

      expect(status).toBe(200);
      expect(gaps(server)).toEqual([45_000]);
      expect(breaker.get(server.origin).state).toBe("closed");
    });

    it("is called as ever where it answers 404s", async () => {
      const { clock, policy } = driven(client);
      const server = await serving([respond(404)]);
      const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 2, clock });
      const api = retryFetch({ ...policy, breaker });

      for (let n = 1; n <= 5; n++) expect((await api(server.url("/"))).status).toBe(404);

      expect(server.requests).toHaveLength(5);
    });

    it("answers the last response where the breaker opens with the last attempt", async () => {
      const { clock, policy } = driven(client);
      const server = await serving([respond(503, { body: "busy" })]);
      const breaker = circuitBreakers({ key: originOf, consecutiveFailures: 4, clock });

      const response = await retryFetch({ ...policy, breaker, wait: waitNone })(server.url("/"));

      expect(await response.text()).toBe("busy");
      expect(breaker.get(server.origin).state).toBe("open");
    });
  });

  describe("with a bulkhead for each origin", () => {
    it("has no more than its limit of requests under way there, and any number elsewhere", async () => {
      const { clock, policy } = driven(client);
      const { step, answerAll } = answeredLater();
      const [slow, quick] = [await serving([step]), await serving([respond(200)])];
      const bulkhead = bulkheads({ key: originOf, limit: 2, queue: 10 });
      const api = retryFetch({ ...policy, clock, bulkhead });
      const calls = Array.from({ length: 4 }, () => api(slow.url("/")));
      await slow.arrival(2);

      const elsewhere = await Promise.all(Array.from({ length: 4 }, () => api(quick.url("/"))));
      const [underWay, queued] = [slow.requests.length, bulkhead.get(slow.origin).queued];
      answerAll();
      await slow.arrival(4);
      answerAll();

      expect(elsewhere.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect([underWay, queued]).toEqual([2, 2]);
      expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    });

    it("gives its slot to the next call when an attempt times out", async () => {
      const { clock, policy } = driven(client);
      const server = await serving((seen) => (seen.path === "/slow" ? hang() : respond(200)), { now: clock.now });
      const bulkhead = bulkheads({ key: originOf, limit: 1, queue: 1 });
      const api = retryFetch({ ...policy, bulkhead });
      const slow = api.with({ attemptTimeout: 5_000, stop: () => true })(server.url("/slow"));
      const timedOut = expect(slow).rejects.toThrow("5000 ms");
      await server.arrival(1);
      const next = api(server.url("/next"));

      await clock.advance(5_000);

      await timedOut;
      expect((await next).status).toBe(200);
      expect(gaps(server)).toEqual([5_000]);
    });

    it("tries a POST again that found it full: nothing was sent", async () => {
      const { clock, policy } = driven(client);
      const { step, answerAll } = answeredLater();
      const server = await serving((seen) => (seen.path === "/slow" ? step : respond(201)), { now: clock.now });
      const bulkhead = bulkheads({ key: originOf, limit: 1 });
      const api = retryFetch({ ...policy, bulkhead, wait: waitFixed(1_000) });
      const slow = api(server.url("/slow"));
      await server.arrival(1);
      const onRetry = async () => {
        answerAll();
        await slow;
        void clock.advance(1_000);
      };

      const { status } = await api.with({ onRetry })(server.url("/orders"), { method: "POST", body: "order" });

      expect(status).toBe(201);
      expect(server.requests.map(({ path }) => path)).toEqual(["/slow", "/orders"]);
      expect(gaps(server)).toEqual([1_000]);
    });
  });

  describe("with its own budget for each origin", () => {
    it("is called once for each call when the 10 retries are spent", async () => {
      const { policy } = driven(client);
      const server = await serving([respond(503)]);
      const reasons: GiveUpReason[] = [];
      const api = retryFetch({ ...policy, wait: waitNone, onGiveUp: ({ reason }) => reasons.push(reason) });

      for (let n = 1; n <= 6; n++) await api(server.url(`/${n}`));

      const calls = [1, 2, 3, 4, 5, 6].map((n) => server.requests.filter(({ path }) => path === `/${n}`).length);
      expect(calls).toEqual([4, 4, 4, 2, 1, 1]);
      expect(reasons).toEqual(["stopped", "stopped", "stopped", "budget", "budget", "budget"]);
    });

    it("has retries left for another origin when those of one are spent", async () => {
      const { policy } = driven(client);
      const [down, other] = [await serving([respond(503)]), await serving([respond(503), respond(200)])];
      const api = retryFetch({ ...policy, wait: waitNone });
      for (let n = 1; n <= 6; n++) await api(down.url("/"));

      const { status } = await api(other.url("/"));

      expect(status).toBe(200);
      expect(other.requests).toHaveLength(2);
    });

    it("keeps in mind what it has spent at one origin while it calls another", async () => {
      const { policy } = driven(client);
      const [down, other] = [await serving([respond(503)]), await serving([respond(200)])];
      const api = retryFetch({ ...policy, wait: waitNone });
      for (let n = 1; n <= 6; n++) await api(down.url("/"));
      await api(other.url("/"));
      const before = down.requests.length;

      await api(down.url("/"));

      expect(down.requests).toHaveLength(before + 1);
    });

    it("answers a response that can be read where the budget refuses a retry", async () => {
      const { policy } = driven(client);
      const server = await serving([respond(503, { body: "busy" })]);
      const api = retryFetch({ ...policy, wait: waitNone });
      for (let n = 1; n <= 6; n++) await api(server.url("/"));

      const response = await api(server.url("/"));

      expect(await response.text()).toBe("busy");
    });

    it("spends nothing on a request that is not tried again", async () => {
      const { policy } = driven(client);
      const server = await serving((seen) => respond(seen.method === "POST" ? 503 : 500));
      const api = retryFetch({ ...policy, wait: waitNone });
      for (let n = 1; n <= 20; n++) await api(server.url("/"), { method: "POST" });

      await api(server.url("/"));

      expect(server.requests.filter(({ method }) => method === "GET")).toHaveLength(4);
    });

    it("spends it on refused connections too", async () => {
      const { policy } = driven(client);
      const nobody = await deadPort();
      onTestFinished(nobody.close);
      const api = retryFetch({ ...policy, wait: waitNone });

      for (let n = 1; n <= 6; n++) await api(nobody.url("/")).catch(() => {});

      expect(api.stats).toMatchObject({ calls: 6, attempts: 16 });
    });
  });
});
