import { AttemptTimeoutError, BulkheadFullError, CircuitOpenError, retry, TotalTimeoutError } from "undaunted";
import { HttpStatusError } from "undaunted/http";
import { answerFailure, attemptOf, deadlineOf, exhaustedOf } from "undaunted/server";
import { instant } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const giveUp = async (error: unknown) => {
  await retry(() => Promise.reject(error), instant)().catch(() => {});
  return error;
};
const response = (verdict?: string) =>
  new Response("body", { status: 503, headers: { "x-a": "1", ...(verdict && { "x-should-retry": verdict }) } });

describe("exhaustedOf", () => {
  it("is true of an error that a retry gave up on, and of one that has it for a cause", async () => {
    const down = await giveUp(new Error("down"));

    expect(exhaustedOf(down)).toBe(true);
    expect(exhaustedOf(new Error("order failed", { cause: down }))).toBe(true);
    expect(exhaustedOf(new AggregateError([down]))).toBe(true);
    expect(exhaustedOf(new AggregateError([down, new Error("other")]))).toBe(false);
  });

  it("is true of a response whose server says so, and of an error that has it", () => {
    expect(exhaustedOf(response("false"))).toBe(true);
    expect(exhaustedOf(Object.assign(new Error("503"), { response: response("False") }))).toBe(true);
    expect(exhaustedOf(new Error("failed", { cause: { response: { headers: { "x-should-retry": "false" } } } }))).toBe(
      true,
    );
  });

  it.each([
    undefined,
    null,
    "false",
    7,
    {},
    new Error("new"),
    response(),
    response("true"),
    response("no"),
    { headers: "x" },
  ])("is false of %s", (given) => {
    expect(exhaustedOf(given)).toBe(false);
  });

  it("throws nothing, whatever it is given", () => {
    const hostile = {
      headers: {
        get: () => {
          throw new Error("no");
        },
      },
    };
    expect(exhaustedOf(hostile)).toBe(false);
  });
});

describe("answerFailure", () => {
  it.each<[string, unknown, number, object]>([
    ["an error", new Error("secret"), 500, { code: "ERR_FAILED" }],
    ["a text", "secret", 500, { code: "ERR_FAILED" }],
    ["an attempt's timeout", new AttemptTimeoutError(1, 1), 504, { code: "ERR_ATTEMPT_TIMEOUT" }],
    ["a call's timeout", new TotalTimeoutError(1, 1), 504, { code: "ERR_TOTAL_TIMEOUT" }],
    ["a signal's timeout", new DOMException("late", "TimeoutError"), 504, { code: "ERR_FAILED" }],
    ["a timeout as a cause", new Error("late", { cause: new AttemptTimeoutError(1, 1) }), 504, { code: "ERR_FAILED" }],
    ["an open circuit", new CircuitOpenError("open", { retryAfter: 1_200 }), 503, { code: "ERR_CIRCUIT_OPEN" }],
    ["a full bulkhead", new BulkheadFullError("full"), 503, { code: "ERR_BULKHEAD_FULL" }],
    ["an upstream's answer", Object.assign(new Error("e"), { response: { status: 500 } }), 502, { code: "ERR_FAILED" }],
  ])("makes a problem of %s that says nothing of the error's own words", async (_what, error, status, body) => {
    const answer = answerFailure(error);
    const text = await answer.text();

    expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
    expect(JSON.parse(text)).toMatchObject({ type: "about:blank", status, ...body });
    expect(text).not.toContain("secret");
    expect(answer.headers.get("x-should-retry")).toBeNull();
  });

  it("says when an open circuit is worth another try", () => {
    expect(answerFailure(new CircuitOpenError("open", { retryAfter: 1_200 })).headers.get("retry-after")).toBe("2");
    expect(answerFailure(new CircuitOpenError("open", { retryAfter: 0 })).headers.get("retry-after")).toBe("1");
    expect(answerFailure(new CircuitOpenError("open")).headers.get("retry-after")).toBeNull();
  });

  it("says that nobody should try again after an error that a retry gave up on", async () => {
    const answer = answerFailure(await giveUp(new Error("down")));

    expect([answer.status, answer.headers.get("x-should-retry")]).toEqual([503, "false"]);
  });

  it("keeps a response's status, headers and body, and says with it that nobody should try again", async () => {
    const upstream = response("FALSE");
    const answer = answerFailure(upstream);

    expect([answer.status, answer.headers.get("x-should-retry"), await answer.text()]).toEqual([503, "false", "body"]);
    expect(answer.headers.get("x-a")).toBe("1");
  });

  it("returns a response that says nothing as it is, and what a Hono exception makes", () => {
    const upstream = response();

    expect(answerFailure(upstream)).toBe(upstream);
    expect(answerFailure(Object.assign(new Error("e"), { getResponse: () => upstream }))).toBe(upstream);
  });

  it("takes a status, a detail and headers", async () => {
    const answer = answerFailure(new Error("secret"), { status: 402, detail: "no credit", headers: { "x-b": "2" } });

    expect([answer.status, answer.headers.get("x-b")]).toEqual([402, "2"]);
    expect(await answer.json()).toMatchObject({ status: 402, detail: "no credit" });
    expect(answerFailure(response(), { headers: { "x-b": "2" } }).headers.get("x-b")).toBe("2");
  });

  it.each([{ status: 200 }, { status: 600 }, { status: "500" }, { detail: 1 }, { body: "" }])("refuses %j", (init) => {
    expect(() => answerFailure(new Error("e"), init as never)).toThrow("answerFailure: ");
  });
});

describe("attemptOf", () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{ "x-envoy-attempt-count": "2" }, 2],
    [{ "grpc-previous-rpc-attempts": "2" }, 3],
    [{ "grpc-previous-rpc-attempts": "0" }, 1],
    [{ "amz-sdk-request": "attempt=2; max=3" }, 2],
    [{ "amz-sdk-request": "max=3;attempt=4" }, 4],
    [{ "x-envoy-attempt-count": "1000" }, 1_000],
    [{ "x-envoy-attempt-count": "1001" }, undefined],
    [{ "x-envoy-attempt-count": "0" }, undefined],
    [{ "x-envoy-attempt-count": "-1" }, undefined],
    [{ "x-envoy-attempt-count": "1e2" }, undefined],
    [{ "x-envoy-attempt-count": "two", "amz-sdk-request": "attempt=2" }, 2],
    [{ "grpc-previous-rpc-attempts": "1000" }, undefined],
    [{ "amz-sdk-request": "attempt=x" }, undefined],
    [{ "amz-sdk-request": "reattempt=2" }, undefined],
    [{}, undefined],
  ])("of %j is %s, from every kind of request", (headers, attempt) => {
    expect(attemptOf(new Request("http://localhost", { headers }))).toBe(attempt);
    expect(attemptOf(new Headers(headers))).toBe(attempt);
    expect(attemptOf({ headers })).toBe(attempt);
  });

  it.each([undefined, null, 7, {}, { headers: null }])("of %s is undefined", (request) => {
    expect(attemptOf(request as never)).toBeUndefined();
  });
});

describe("deadlineOf", () => {
  it.each<[Record<string, string>, number]>([
    [{ "grpc-timeout": "1S" }, 1_000],
    [{ "grpc-timeout": "250m" }, 250],
    [{ "grpc-timeout": "1500u" }, 1.5],
    [{ "grpc-timeout": "2000000n" }, 2],
    [{ "grpc-timeout": "1M" }, 5_000],
    [{ "grpc-timeout": "99999999H" }, 5_000],
    [{ "grpc-timeout": "0n" }, 0],
    [{ "x-envoy-expected-rq-timeout-ms": "100" }, 100],
    [{ "x-envoy-expected-rq-timeout-ms": "6000" }, 5_000],
    [{ "grpc-timeout": "2S", "x-envoy-expected-rq-timeout-ms": "100" }, 100],
    [{ "grpc-timeout": "100m", "x-envoy-expected-rq-timeout-ms": "2000" }, 100],
    [{ "grpc-timeout": "123456789m" }, 5_000],
    [{ "grpc-timeout": "-1m" }, 5_000],
    [{ "grpc-timeout": "1s" }, 5_000],
    [{ "grpc-timeout": "m" }, 5_000],
    [{ "x-envoy-expected-rq-timeout-ms": "1.5" }, 5_000],
    [{ "x-envoy-expected-rq-timeout-ms": "" }, 5_000],
    [{}, 5_000],
  ])("of %j is %d, where the handler has 5 s", (headers, left) => {
    expect(deadlineOf(new Request("http://localhost", { headers }), { max: 5_000 })).toBe(left);
    expect(deadlineOf({ headers }, { max: 5_000 })).toBe(left);
  });

  it("is what the header says, or undefined, where the handler has no bound", () => {
    expect(deadlineOf({ headers: { "grpc-timeout": "1H" } })).toBe(3_600_000);
    expect(deadlineOf({ headers: {} })).toBeUndefined();
    expect(deadlineOf({ headers: { "grpc-timeout": "123456789m" } })).toBeUndefined();
    expect(deadlineOf({ headers: { "grpc-timeout": "1S" } }, { max: Infinity })).toBe(1_000);
  });

  it.each([-1, Number.NaN, "5s"])("refuses a max of %s", (max) => {
    expect(() => deadlineOf({ headers: {} }, { max: max as number })).toThrow(
      "deadlineOf: max must be a number of ms from 0",
    );
  });
});

it("an HttpStatusError whose server said so is exhausted, and makes a 502 that says so", () => {
  const error = Object.create(HttpStatusError.prototype, { response: { value: response("false") } });

  expect(answerFailure(error).status).toBe(502);
  expect(answerFailure(error).headers.get("x-should-retry")).toBe("false");
});
