import { mkdtempSync, readFileSync, renameSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InMemoryProvider, OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { circuitBreaker, retry, retryBudget } from "undaunted";
import { livePolicy, type PolicyChange } from "undaunted/policy";
import { flaky } from "undaunted/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";

const TWO = '{ "stop": { "stopAfterAttempt": 2 }, "wait": "waitNone" }';
const THREE = '{ "stop": { "stopAfterAttempt": 3 }, "wait": "waitNone" }';

/** A source that says when it changed. */
function sourceOf(initial: unknown) {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    read: () => value,
    subscribe: (changed: () => void) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    set(next: unknown) {
      value = next;
      for (const each of listeners) each();
    },
    listeners,
  };
}

/** How often a function that always fails is called. */
async function attemptsUnder(policy: () => object): Promise<number> {
  const fn = flaky(Array.from({ length: 9 }, () => new Error("busy")));
  await retry(fn, policy)().catch(() => {});
  return fn.calls.length;
}

describe("livePolicy", () => {
  it("decides about calls that begin after a change", async () => {
    const source = sourceOf(TWO);
    const policy = livePolicy(source);

    const before = await attemptsUnder(policy);
    source.set(THREE);

    expect([before, await attemptsUnder(policy)]).toEqual([2, 3]);
  });

  it("leaves a call alone that began before", async () => {
    const source = sourceOf(TWO);
    const policy = livePolicy(source);
    const fn = vi.fn(async (): Promise<string> => {
      if (fn.mock.calls.length === 1) source.set(THREE);
      throw new Error("busy");
    });

    await retry(fn, policy)().catch(() => {});

    expect(fn).toHaveBeenCalledTimes(2);
  });

  it("returns the same object until the data changes, in whatever order it is written", () => {
    const source = sourceOf(TWO);
    const onChange = vi.fn();
    const policy = livePolicy(source, { onChange });
    const first = policy();

    source.set('{"wait":"waitNone","stop":{"stopAfterAttempt":2}}');
    const second = policy();
    source.set(THREE);

    expect(second).toBe(first);
    expect(policy()).not.toBe(first);
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  it("keeps the last good policy on a bad edit, and reports it", async () => {
    const source = sourceOf(TWO);
    const errors: string[] = [];
    const policy = livePolicy(source, { onError: (error) => errors.push(String(error)) });

    for (const bad of ['{ "stop": 5 }', "{", 5, null, undefined]) source.set(bad);

    expect(await attemptsUnder(policy)).toBe(2);
    expect(errors).toEqual([
      expect.stringContaining("policyFrom: stop must be a name"),
      expect.stringContaining("JSON"),
      expect.stringContaining("policyFrom: data must be an object, got 5"),
      expect.stringContaining("policyFrom: data must be an object, got null"),
      expect.stringContaining("policyFrom: data must be an object, got undefined"),
    ]);
    source.set(THREE);
    expect(await attemptsUnder(policy)).toBe(3);
  });

  it("reports each change, with what was there before", () => {
    const changes: PolicyChange[] = [];
    const source = sourceOf(JSON.parse(TWO));
    const policy = livePolicy(source, { onChange: (change) => changes.push(change) });

    source.set(JSON.parse(THREE));

    expect(changes.map(({ from, to }) => [from, to])).toEqual([
      [undefined, JSON.parse(TWO)],
      [JSON.parse(TWO), JSON.parse(THREE)],
    ]);
    expect(changes[1]!.options).toBe(policy());
    expect(policy.current).toEqual(JSON.parse(THREE));
  });

  it("keeps the guards and budgets that refs name", () => {
    const budget = retryBudget();
    const source = sourceOf({ budget: { ref: "shared" } });
    const policy = livePolicy(source, {
      refs: { shared: budget, breaker: circuitBreaker({ consecutiveFailures: 1 }) },
    });
    const first = policy();

    source.set({ budget: { ref: "shared" }, wait: "waitNone" });

    expect(policy()).not.toBe(first);
    expect(policy().budget).toBe(budget);
  });

  it("waits for a source that takes time, and says so until then", async () => {
    const policy = livePolicy({ read: async () => TWO });

    expect(() => policy()).toThrow("livePolicy: no policy was read yet: await its `ready`, or give `initial`");
    await expect(retry(async () => 1, policy)()).rejects.toThrow("no policy was read yet");
    await policy.ready;
    expect(await attemptsUnder(policy)).toBe(2);
  });

  it("begins with `initial` where the source takes time, or fails", async () => {
    const onError = vi.fn();
    const policy = livePolicy(
      { read: () => Promise.reject(new Error("down")) },
      { initial: JSON.parse(THREE), onError },
    );

    expect(await attemptsUnder(policy)).toBe(3);
    await policy.ready;
    expect(onError.mock.calls).toMatchObject([[{ message: "down" }]]);
    expect(await attemptsUnder(policy)).toBe(3);
  });

  it("takes what was read last, not what arrived last", async () => {
    const answers: ((text: string) => void)[] = [];
    const policy = livePolicy({ read: () => new Promise((resolve) => answers.push(resolve)) }, { initial: {} });

    const second = policy.refresh();
    answers[1]!(THREE);
    await second;
    answers[0]!(TWO);
    await policy.ready;

    expect(await attemptsUnder(policy)).toBe(3);
  });

  it("follows no more after close, and leaves no listener", () => {
    const source = sourceOf(TWO);
    const policy = livePolicy(source);
    const last = policy();

    policy.close();
    policy.close();
    source.set(THREE);

    expect(policy()).toBe(last);
    expect(source.listeners.size).toBe(0);
  });

  it.each([
    [undefined, {}, "livePolicy: source must be an object with a method read, got undefined"],
    [{}, {}, "livePolicy: source must be an object with a method read"],
    [{ read: () => ({}) }, { onchange: () => {} }, "did you mean onChange?"],
    [{ read: () => ({}) }, { initial: { stop: 5 } }, "policyFrom: stop must be a name"],
  ])("refuses bad input at once: case %#", (source, options, message) => {
    expect(() => livePolicy(source as never, options as never)).toThrow(message);
  });
});

describe("a live policy", () => {
  it("follows a file, also one that an editor puts in its place", async () => {
    const folder = mkdtempSync(join(tmpdir(), "undaunted-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "policy.json");
    writeFileSync(path, TWO);
    const policy = livePolicy(
      {
        read: () => readFileSync(path, "utf8"),
        subscribe: (changed) => {
          const watcher = watch(folder, changed);
          return () => watcher.close();
        },
      },
      { onError: () => {} },
    );
    onTestFinished(() => policy.close());
    const before = await attemptsUnder(policy);

    writeFileSync(`${path}.new`, THREE);
    renameSync(`${path}.new`, path);
    await vi.waitFor(() => expect(policy.current).toEqual(JSON.parse(THREE)));

    expect([before, await attemptsUnder(policy)]).toEqual([2, 3]);
  });

  it("follows a flag of OpenFeature", async () => {
    const flag = (text: string) => ({
      retries: { variants: { on: JSON.parse(text) }, defaultVariant: "on", disabled: false },
    });
    const provider = new InMemoryProvider(flag(TWO));
    await OpenFeature.setProviderAndWait(provider);
    onTestFinished(() => OpenFeature.close());
    const client = OpenFeature.getClient();
    const policy = livePolicy({
      read: () => client.getObjectValue("retries", {}),
      subscribe: (changed) => {
        client.addHandler(ProviderEvents.ConfigurationChanged, changed);
        return () => client.removeHandler(ProviderEvents.ConfigurationChanged, changed);
      },
    });
    onTestFinished(() => policy.close());
    await policy.ready;
    const before = await attemptsUnder(policy);

    await provider.putConfiguration(flag(THREE));
    await vi.waitFor(() => expect(policy.current).toEqual(JSON.parse(THREE)));

    expect([before, await attemptsUnder(policy)]).toEqual([2, 3]);
  });
});

describe("livePolicy's first read", () => {
  it("reports a source that has nothing", async () => {
    const errors: unknown[] = [];
    const policy = livePolicy({ read: () => undefined }, { onError: (error) => errors.push(error) });
    await policy.ready;

    expect(String(errors)).toBe("TypeError: policyFrom: data must be an object, got undefined");
  });
});

describe("livePolicy without onError", () => {
  /** What Node warned of from now on. */
  function warnings(): string[] {
    const texts: string[] = [];
    const spy = vi.spyOn(process, "emitWarning").mockImplementation((text) => void texts.push(String(text)));
    onTestFinished(() => spy.mockRestore());
    return texts;
  }

  it("warns of each edit that is another mistake, in words about the policy", () => {
    const texts = warnings();
    const source = sourceOf(TWO);
    livePolicy({ ...source, name: "policies/orders.json" });

    for (const bad of ['{ "stop": 5 }', '{ "stop": 5 }', '{ "wait": "waitNoone" }', "{ stop", 7]) source.set(bad);

    expect(texts).toEqual([
      'undaunted: livePolicy: policies/orders.json is no policy: stop must be a name, or an object with one, as { "stopAfterAttempt": 5 }; got 5; the last good policy stays',
      expect.stringMatching(
        /^undaunted: livePolicy: policies\/orders\.json is no policy: wait must be one of .*; got "waitNoone"; did you mean waitNone\?; the last good policy stays$/,
      ),
      expect.stringMatching(
        /^undaunted: livePolicy: policies\/orders\.json is no JSON: .*; the last good policy stays$/,
      ),
      "undaunted: livePolicy: policies/orders.json is no policy: data must be an object, got 7; the last good policy stays",
    ]);
  });

  it("warns of the same mistake again after a good edit", () => {
    const texts = warnings();
    const source = sourceOf(TWO);
    livePolicy(source);

    for (const each of ["{", "{", TWO, "{", THREE, "{"]) source.set(each);

    expect(texts).toHaveLength(2);
    expect(texts[1]).toMatch(/^undaunted: livePolicy: what its source has is no JSON: /);
  });

  it("warns once of a source that fails in one way, and says whether a policy holds", async () => {
    const texts = warnings();
    let error: unknown = new Error("no network");
    const policy = livePolicy({ read: () => Promise.reject(error) });
    await policy.ready;
    await policy.refresh();
    error = "gone";
    await policy.refresh();

    expect(texts).toEqual([
      "undaunted: livePolicy: its source could not be read: no network; there is none before it",
      "undaunted: livePolicy: its source could not be read: gone; there is none before it",
    ]);
  });

  it("cuts short what a mistake says at length", () => {
    const texts = warnings();
    livePolicy({
      read: () => {
        throw new Error("x".repeat(100_000));
      },
    });

    expect(texts[0]!.length).toBeLessThan(1_200);
    expect(texts[0]).toContain("xxx…");
  });
});

describe("a live policy that has none", () => {
  const down = new Error("no network");

  it.each([
    ["that cannot be read", () => Promise.reject(down), "flags could not be read: no network"],
    [
      "that throws",
      () => {
        throw down;
      },
      "flags could not be read: no network",
    ],
    ["that is wrong from the start", () => '{ "stop": 5 }', "flags is no policy: stop must be a name"],
    ["that is no JSON", async () => "{", "flags is no JSON: "],
  ])("says in each call what was wrong with a source %s", async (_, read, message) => {
    const policy = livePolicy({ name: "flags", read }, { onError() {} });
    await policy.ready;
    const call = () => retry(async () => 1, policy)().catch((error) => error);

    const [first, second] = [await call(), await call()];

    expect(first.message).toContain(`livePolicy: there is no policy: ${message}`);
    expect(first.cause).toBeInstanceOf(Error);
    expect(second.message).toBe(first.message);
    expect(second).not.toBe(first);
  });

  it("begins to hold once a later read is well", async () => {
    let text = "{";
    const policy = livePolicy({ read: async () => text }, { onError() {} });
    await policy.ready;
    text = TWO;
    await policy.refresh();

    expect(await attemptsUnder(policy)).toBe(2);
  });

  it("is ready when a read has ended that no later one overtook", async () => {
    const answers: ((text: string) => void)[] = [];
    const policy = livePolicy({ read: () => new Promise((resolve) => answers.push(resolve)) });
    const order: string[] = [];
    const ready = policy.ready.then(() => order.push("ready"));

    const second = policy.refresh();
    answers[0]!(TWO);
    await Promise.resolve().then(() => {});
    await new Promise(setImmediate);
    order.push("first read");
    answers[1]!(THREE);
    await Promise.all([ready, second]);

    expect(order).toEqual(["first read", "ready"]);
    expect(await attemptsUnder(policy)).toBe(3);
  });

  it("reports no failure of a read that was overtaken", async () => {
    const errors: unknown[] = [];
    const rejects: ((error: Error) => void)[] = [];
    const reads = [() => new Promise((_, reject) => rejects.push(reject)), async () => TWO];
    const policy = livePolicy({ read: () => reads.shift()!() }, { onError: (error) => errors.push(error) });

    await policy.refresh();
    rejects[0]!(down);
    await new Promise(setImmediate);

    expect(errors).toEqual([]);
    expect(await attemptsUnder(policy)).toBe(2);
  });

  it("is ready when it is closed", async () => {
    const policy = livePolicy({ read: () => new Promise(() => {}) });

    policy.close();

    await policy.ready;
    expect(() => policy()).toThrow("no policy was read");
  });
});
