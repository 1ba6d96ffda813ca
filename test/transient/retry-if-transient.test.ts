import {
  AttemptTimeoutError,
  BulkheadFullError,
  CircuitOpenError,
  retry,
  retryIfAny,
  retryIfNot,
  waitNone,
} from "undaunted";
import { IdempotencyInFlightError, IdempotencyMismatchError, IdempotencyRecordError } from "undaunted/idempotency";
import { flaky, retryState } from "undaunted/testing";
import { classifyError, classifyPostgresError, retryIfTransient } from "undaunted/transient";
import { describe, expect, it } from "vitest";

const of = { safe: { code: "40001" }, idempotent: { code: "ECONNRESET" }, permanent: { code: "23505" }, unknown: {} };
const missingParent = {
  code: "23503",
  detail: 'Key (account)=(9) is not present in table "account".',
};

describe("retryIfTransient", () => {
  it.each([
    ["nothing said", {}, ["safe"]],
    ["idempotent", { idempotent: true }, ["safe", "idempotent"]],
    ["unknown", { unknown: true }, ["safe", "unknown"]],
    ["both", { idempotent: true, unknown: true }, ["safe", "idempotent", "unknown"]],
  ])("with %s retries what it should", (_, options, wanted) => {
    const retryIf = retryIfTransient(options);

    const retried = Object.entries(of).filter(([, error]) => retryIf(error));

    expect(retried.map(([verdict]) => verdict)).toEqual(wanted);
  });

  it("never retries a value", async () => {
    const everything = retryIfTransient({ idempotent: true, unknown: true });

    expect(await retry(async () => of.safe, { retryIf: everything })()).toBe(of.safe);
  });

  it("takes the word of the classifier that it is given", () => {
    expect(retryIfTransient({ classify: () => "safe" })(of.permanent)).toBe(true);
    expect(retryIfTransient({ classify: classifyPostgresError })({ code: "SQLITE_BUSY" })).toBe(false);
  });

  it.each([
    ["PostgreSQL's", missingParent],
    ["MySQL's", { errno: 1452, sqlState: "23000" }],
    ["MySQL's older one", { errno: 1216, sqlState: "23000" }],
    ["that of a cause", new Error("not saved", { cause: missingParent })],
  ])("retries a missing parent, %s, only where it may follow", (_, error) => {
    expect(retryIfTransient({ idempotent: true, unknown: true })(error)).toBe(false);
    expect(retryIfTransient({ parentMayFollow: true })(error)).toBe(true);
  });

  it.each([
    ["PostgreSQL's", { code: "23503", detail: 'Key (id)=(1) is still referenced from table "entry".' }],
    ["MySQL's", { errno: 1451, sqlState: "23000" }],
    ["a duplicate key", of.permanent],
  ])("does not take for a missing parent a child that is still there: %s", (_, error) => {
    expect(retryIfTransient({ parentMayFollow: true })(error)).toBe(false);
  });

  it("joins other predicates", () => {
    const own = retryIfAny(retryIfTransient(), (error) => (error as Error).message === "mine");
    const mine = new Error("mine");

    expect(own(mine, retryState({ outcome: { ok: false, error: mine } }))).toBe(true);
    expect(retryIfNot(retryIfTransient())(of.permanent)).toBe(true);
  });

  it("lets retry try again until it is done, and end at once in what is permanent", async () => {
    const load = flaky([asError(of.safe), asError(of.safe), "done"]);
    const save = flaky([asError(of.permanent), "done"]);

    expect(await retry(load, { retryIf: retryIfTransient(), wait: waitNone })()).toBe("done");
    await expect(retry(save, { retryIf: retryIfTransient(), wait: waitNone })()).rejects.toMatchObject(of.permanent);
  });

  it.each([
    ["an unknown name", { idempotant: true }, 'there is no option "idempotant"'],
    ["a string for a boolean", { idempotent: "yes" }, 'idempotent must be true or false, got "yes"'],
    ["a number for a boolean", { unknown: 1 }, "unknown must be true or false, got 1"],
    ["a name for the classifier", { classify: "pg" }, 'classify must be a function, got "pg"'],
  ])("refuses %s", (_, options, message) => {
    expect(() => retryIfTransient(options as object)).toThrow(TypeError);
    expect(() => retryIfTransient(options as object)).toThrow(message);
  });
});

describe("our own errors", () => {
  it.each([
    [new BulkheadFullError("full"), "safe"],
    [new IdempotencyInFlightError("k", 1), "safe"],
    [new AttemptTimeoutError(1, 1), "idempotent"],
    [new IdempotencyMismatchError("k"), "permanent"],
    [new IdempotencyRecordError("k", "no"), "permanent"],
    [new CircuitOpenError("open"), "unknown"],
  ] as const)("%s is %s", (error, verdict) => {
    expect(classifyError(error)).toBe(verdict);
  });
});

describe("an error of several", () => {
  it("is as safe as the least safe of them", () => {
    const errors = [of.safe, of.idempotent].map(asError);

    expect(classifyError(new AggregateError(errors))).toBe("idempotent");
  });

  it.each([undefined, null, "40001", 40001, Symbol("x"), Object.freeze({})])("of no kind is unknown: %s", (error) => {
    expect(classifyError(error)).toBe("unknown");
  });

  it("whose fields cannot be read is unknown", () => {
    const error = new Proxy(new Error(), {
      get() {
        throw new Error("unreadable");
      },
    });

    expect(classifyError(error)).toBe("unknown");
  });
});

function asError(fields: object): Error {
  return Object.assign(new Error("failed"), fields);
}
