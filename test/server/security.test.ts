import { memoryIdempotencyStore } from "undaunted/idempotency";
import { type IdempotentServerOptions, idempotentHandler } from "undaunted/server";
import { describe, expect, it, vi } from "vitest";

// Two tenants, one of which knows the other's keys and is up to no good.

type Scope = IdempotentServerOptions<Request>["scope"];
const byTenant: Scope = (request) => request.headers.get("x-tenant")!;

function shop(scope: Scope, max?: number) {
  const store = memoryIdempotencyStore(max === undefined ? {} : { max });
  const claim = vi.spyOn(store, "claim");
  const handler = vi.fn(async (request: Request) => new Response(`secret of ${request.headers.get("x-tenant")}`));
  const serve = idempotentHandler(handler, { name: "shop", store, scope, onStoreError: () => {} });
  const ask = async (tenant: string, key: string, body = "tea") =>
    serve(
      new Request("http://localhost/", {
        method: "POST",
        body,
        headers: { "x-tenant": tenant, "idempotency-key": key },
      }),
    );
  return { ask, handler, claim };
}

describe("a key", () => {
  it("does not read another tenant's answer", async () => {
    const { ask, handler } = shop(byTenant);
    await ask("victim", "k1");

    const stolen = await ask("thief", "k1");

    expect(await stolen.text()).toBe("secret of thief");
    expect(stolen.headers.get("idempotent-replayed")).toBeNull();
    expect(handler).toHaveBeenCalledTimes(2);
  });

  it("of public scope does: the same requests share an answer there", async () => {
    const { ask, handler } = shop("public");
    await ask("victim", "k1");

    const shared = await ask("thief", "k1");

    expect(await shared.text()).toBe("secret of victim");
    expect(shared.headers.get("idempotent-replayed")).toBe("true");
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("does not poison another tenant's: what was put there first is not what that one gets", async () => {
    const { ask } = shop(byTenant);
    await ask("thief", "k1", "poison");

    const answer = await ask("victim", "k1", "tea");

    expect([answer.status, await answer.text()]).toEqual([200, "secret of victim"]);
  });

  it("of public scope is poisoned by whoever comes first", async () => {
    const { ask } = shop("public");
    await ask("thief", "k1", "poison");

    expect((await ask("victim", "k1", "tea")).status).toBe(422);
  });

  it.each([
    ["a", "b:c", "a:b", "c"],
    ["a", "bc", "ab", "c"],
    ["a", 'b","c', 'a","b', "c"],
    ["a", '"c"', 'a"', "c"],
    ["public", "k", "", "k"],
  ])("of the tenant %j and %j is another one than of %j and %j", async (tenant, key, other, otherKey) => {
    const { ask, claim } = shop(async (request) => decodeURIComponent(request.headers.get("x-tenant")!) || "none");
    await ask(encodeURIComponent(tenant), key.includes('"') && key !== '"c"' ? `"${key.replaceAll('"', '\\"')}"` : key);
    await ask(encodeURIComponent(other), otherKey);

    const [first, second] = claim.mock.calls.map(([stored]) => stored);
    expect(first).not.toBe(second);
  });

  it("is stored as a hash of a fixed size, with the route's name", async () => {
    const { ask, claim } = shop(byTenant);
    for (const key of ["k", "k".repeat(255)]) await ask("t".repeat(10_000), key);

    for (const [stored] of claim.mock.calls) expect(stored).toMatch(/^shop:[0-9a-f]{64}$/);
  });

  it.each([undefined, null, "", 7])("without a scope that says whose it is is refused: %j", async (whose) => {
    const { ask, handler } = shop(() => whose as string);

    await expect(ask("anybody", "k1")).rejects.toThrow(
      "idempotentHandler: what scope returns must be a string that is not empty",
    );
    expect(handler).not.toHaveBeenCalled();
  });
});

describe("a store that somebody fills", () => {
  it("refuses new keys and lets go of none: what was done is not done again", async () => {
    const { ask, handler } = shop(byTenant, 100);
    await ask("victim", "k1");
    const statuses = [];
    for (let n = 0; n < 150; n++) statuses.push((await ask("thief", `k${n}`)).status);

    const answer = await ask("victim", "k1");

    expect([answer.status, answer.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(statuses.filter((status) => status === 503)).toHaveLength(51);
    expect(handler).toHaveBeenCalledTimes(100);
  });
});
