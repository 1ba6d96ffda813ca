import { retryBudget } from "undaunted";
import { describePolicy, policyFrom } from "undaunted/policy";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { HELP, main } from "../../src/cli/main.js";

/** What a command printed, and its exit code. */
async function run(argv: string[], files: Record<string, string> = {}) {
  const printed = { out: "", err: "" };
  const code = await main(argv, "1.2.3", {
    read: async (path) => {
      if (path in files) return files[path]!;
      throw Object.assign(new Error(`no ${path}`), { code: path.startsWith("secret") ? "EACCES" : "ENOENT" });
    },
    out: (text) => {
      printed.out += `${text}\n`;
    },
    err: (text) => {
      printed.err += `${text}\n`;
    },
    columns: 40,
  });
  return { code, ...printed };
}

const FIXED = '{ "stop": { "stopAfterAttempt": 3 }, "wait": { "waitFixed": 250 } }';
const JITTERED = '{ "stop": { "stopAfterAttempt": 3 }, "wait": { "waitFullJitter": { "base": 100 } } }';

describe("undaunted preview", () => {
  it("prints a row per attempt and a plot of the delays", async () => {
    expect(await run(["preview", JITTERED])).toEqual({
      code: 0,
      err: "",
      out: [
        "attempt     then waits        ends by",
        "      1  0 ms – 100 ms           0 ms",
        "      2  0 ms – 200 ms  0 ms – 100 ms",
        "      3           0 ms  0 ms – 300 ms  may stop",
        "",
        "after 1 │███████████████",
        "after 2 │█████████████████████████████",
        "        └─────────────────────────────",
        "         0                      200 ms",
        "",
      ].join("\n"),
    });
  });

  it("reads a file, and standard input", async () => {
    const files = { "policy.json": FIXED, "-": FIXED };
    const inline = await run(["preview", FIXED]);

    expect(await run(["preview", "policy.json"], files)).toEqual(inline);
    expect(await run(["preview", "-"], files)).toEqual(inline);
    expect(inline.out).toContain("250 ms");
  });

  it("prints JSON for machines", async () => {
    const { out } = await run(["preview", FIXED, "--json", "--attempts", "2"]);

    expect(JSON.parse(out)).toMatchObject([{ attempt: 1, minDelay: 250 }, { attempt: 2 }]);
  });

  it("leaves out what only a program has, and says so", async () => {
    const { code, out, err } = await run([
      "preview",
      '{ "budget": { "ref": "shared" }, "stop": { "stopAfterAttempt": 2 } }',
    ]);

    expect([code, err]).toEqual([0, "left out, since only a program has them: budget\n"]);
    expect(out).toContain("may stop");
  });

  it("draws nothing where nothing waits", async () => {
    const { out } = await run(["preview", '{ "wait": "waitNone" }']);

    expect(out).not.toContain("│");
  });
});

describe("undaunted check", () => {
  it("says ok, and what a program must bring", async () => {
    expect(await run(["check", FIXED])).toEqual({ code: 0, out: "ok\n", err: "" });
    const policy = '{ "retryIf": { "retryIfErrorType": { "ref": "Busy" } }, "budget": { "ref": "shared" } }';
    expect(await run(["check", policy])).toEqual({ code: 0, out: "ok\na program must bring: Busy, shared\n", err: "" });
    expect(JSON.parse((await run(["check", policy, "--json"])).out)).toEqual({
      ok: true,
      policy: JSON.parse(policy),
      refs: ["Busy", "shared"],
    });
  });

  it("lists each name that a policy refers to once, wherever it stands, and policyFrom asks for no other", async () => {
    const ref = (name: string) => ({ ref: name });
    const policy = {
      stop: { stopAny: [{ stopAfterAttempt: 5 }, ref("myStop")] },
      wait: { waitJittered: { wait: { waitChain: [ref("myWait"), "waitNone"] }, from: 0.5, to: 1 } },
      retryIf: {
        retryIfAny: [
          { retryIfErrorType: [[ref("Busy"), ref("Slow")], ref("isLate")] },
          { retryIfTransient: { classify: ref("mine") } },
          { retryIfNot: { retryIfErrorCause: ref("isLate") } },
        ],
      },
      attemptTimeout: ref("longer"),
      budget: ref("payments"),
      fallback: ref("cached"),
      onRetry: ref("log"),
      onGiveUp: ref("log"),
      signal: ref("shutdown"),
      clock: ref("ours"),
      random: ref("seeded"),
    };

    const { out, err } = await run(["check", JSON.stringify(policy), "--json"]);

    expect(err).toBe("");
    const names = ["myStop", "myWait", "Busy", "Slow", "isLate", "mine"];
    names.push("longer", "payments", "cached", "log", "shutdown", "ours", "seeded");
    expect(JSON.parse(out).refs).toEqual(names);
    const refs = Object.fromEntries(names.map((name) => [name, function mine() {}]));
    const [payments, shutdown] = [retryBudget(), new AbortController().signal];
    const all = { ...refs, payments, shutdown, ours: virtualClock() };
    expect(describePolicy(policyFrom(policy as never, all))).toEqual(JSON.parse(out).policy);
    for (const name of names) {
      const { [name]: _, ...others } = all as Record<string, unknown>;
      expect(() => policyFrom(policy as never, others)).toThrow(`got "${name}"`);
    }
  });

  it.each([
    ['{ "stop": 5 }', "stop must be a name, or an object with one"],
    ['{ "wait": { "waitFixed": "1s" } }', 'wait.waitFixed must be a finite number of ms from 0, got "1s"'],
    ["{ stop", "the policy is no JSON"],
    ["[]", "data must be an object"],
    ["nowhere.json", "there is no file nowhere.json"],
    ["secret.json", "secret.json cannot be read"],
  ])("says what is wrong with %s and exits with 1", async (policy, message) => {
    const { code, out, err } = await run(["check", policy]);

    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(message);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});

describe("undaunted compile", () => {
  it("prints the engine's words, and apart from them what is lost", async () => {
    const { code, out, err } = await run(["compile", JITTERED, "--to", "temporal"]);

    expect(code).toBe(0);
    expect(JSON.parse(out).retry).toMatchObject({ initialInterval: 100, maximumAttempts: 3 });
    expect(err).toContain("full jitter");
  });

  it("exits with 1 where the engine cannot say it, unless that is allowed", async () => {
    const policy = '{ "retryIf": { "retryIfErrorCode": 503 } }';

    expect(await run(["compile", policy, "--to", "temporal"])).toMatchObject({ code: 1 });
    expect(await run(["compile", policy, "--to", "temporal", "--allow", "retryIf"])).toMatchObject({ code: 0 });
  });

  it("prints both as JSON for machines", async () => {
    const { out, err } = await run(["compile", JITTERED, "--to", "grpc", "--json"]);

    expect(Object.keys(JSON.parse(out))).toEqual(["config", "lost"]);
    expect(err).toBe("");
  });
});

describe("undaunted simulate", () => {
  const small = ["--clients", "10", "--rate", "2", "--lasts", "10"];

  it("plays the policy beside no retries and four attempts", async () => {
    const { code, out } = await run(["simulate", FIXED, ...small, "--outage", "blackhole"]);

    expect(code).toBe(0);
    const rows = out.split("\n");
    expect(rows.slice(1, 5).map((row) => row.split("  ")[0])).toEqual([
      "no retries",
      "4 attempts",
      "your policy",
      "your policy, with retryBudget()",
    ]);
    expect(rows[1]).toMatch(/1\.00/);
  });

  it("prints JSON for machines, the same for the same seed, and knows a budget by its name", async () => {
    const policy = '{ "stop": { "stopAfterAttempt": 3 }, "budget": { "ref": "retryBudget" } }';
    const argv = ["simulate", policy, ...small, "--json"];

    const { out } = await run(argv);

    expect((await run(argv)).out).toBe(out);
    const [, four, yours, withBudget] = JSON.parse(out);
    expect(yours.load).toBeLessThan(four.load);
    expect(withBudget.load).toBe(yours.load);
    expect(Object.keys(yours)).toEqual(expect.arrayContaining(["policy", "load", "peak", "recovery", "success"]));
  });
});

describe("undaunted", () => {
  it.each([[[]], [["--help"]], [["-h"]], [["help"]], [["preview", "--help"]]])(
    "prints its help for %j",
    async (argv) => {
      expect(await run(argv)).toEqual({ code: 0, out: `${HELP}\n`, err: "" });
    },
  );

  it("prints its version", async () => {
    expect(await run(["--version"])).toEqual({ code: 0, out: "1.2.3\n", err: "" });
  });

  it.each([
    [["perview"], "there is no command perview; there are preview, check, compile, simulate"],
    [["toString"], "there is no command toString"],
    [["preview"], "which policy?"],
    [["preview", FIXED, "--attempt", "3"], "Unknown option '--attempt'"],
    [["preview", FIXED, "--attempts", "many"], "--attempts must be a whole number from 1, got many"],
    [["preview", "{", "stop:", "5", "}"], "one policy at a time, got 4: is its JSON in quotes?"],
    [["compile", FIXED], "--to must be one of temporal, stepFunctions, grpc, got none"],
    [["compile", FIXED, "--to", "sqs"], "--to must be one of temporal, stepFunctions, grpc, got sqs"],
    [
      ["compile", FIXED, "--to", "grpc", "--allow", "retryIfErorCode"],
      "--allow must be one of stop, retryIf, ref, stopNever,",
    ],
    [["simulate", FIXED, "--rate=-1"], "--rate must be a number above 0, got -1"],
    [
      ["simulate", FIXED, "--outage", "flood"],
      "--outage must be one of blackhole, refused, slow, failing, none, got flood",
    ],
  ])("exits with 2 for a command that cannot be: %j", async (argv, message) => {
    const { code, out, err } = await run(argv);

    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
  });
});

describe("undaunted, given what is wrong,", () => {
  it.each([
    ["a misspelled option that is a reference", '{ "attemptTimout": { "ref": "mine" } }', "there is no attemptTimout"],
    ["a reference where none may stand", '{ "totalTimeout": { "ref": "mine" } }', "totalTimeout must be"],
    [
      "what is nested beyond any stack",
      `{ "wait": ${'{ "waitChain": ['.repeat(20_000)}"waitNone"${"] }".repeat(20_000)} }`,
      "must not be nested deeper than 20",
    ],
  ])("refuses %s", async (_, policy, message) => {
    const { code, out, err } = await run(["check", policy]);

    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(message);
  });

  it("refuses numbers that are no fleet's as a mistake in the command", async () => {
    expect(await run(["simulate", "{}", "--clients", "1.5"])).toEqual({
      code: 2,
      out: "",
      err: "--clients must be a whole number from 1, got 1.5\nundaunted --help says how\n",
    });
  });

  it("says what failed without a stack", async () => {
    const io = { read: async () => "{}", err: () => {}, columns: 80 };
    const errors: string[] = [];
    const out = () => {
      throw new Error("the disk is full");
    };

    expect(await main(["check", "{}"], "1", { ...io, out, err: (text) => void errors.push(text) })).toBe(1);
    expect(errors).toEqual(["undaunted: the disk is full"]);
  });

  it("reads a file that begins with a byte order mark", async () => {
    expect(await run(["check", "policy.json"], { "policy.json": "\uFEFF{}" })).toMatchObject({ code: 0, out: "ok\n" });
  });
});
