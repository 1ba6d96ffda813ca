// A server that counts the requests of 50 callers together, 300 a minute: over that it says "429, come back when the minute is
// over". Each caller makes one call after the other, a second apart, for ten minutes of virtual time.
// The numbers stand in docs/fleet.md.

import { readFileSync } from "node:fs";
import { retryFetch } from "undaunted/http";
import { seededRandom } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { fleetOfProcesses } from "./processes.js";

const CALLERS = 50;
const MINUTES = 10;
const MINUTE = 60_000;
const PER_MINUTE = 300;
/** ms from a caller to the server, and to the store, there and back. */
const WAY = 50;
const STORE = 2;

type Pausing = "none" | "own" | "shared";

/** What the server has, and refuses, in ten minutes. */
async function measured(processes: number, pausing: Pausing, seed = 1) {
  const { clock, way, join } = fleetOfProcesses(seed);
  const { carry } = way;
  way.carry = (reply) => pass(STORE).then(() => carry(reply));
  const seen = { requests: 0, refused: 0, done: 0 };
  let minute = 0;
  let left = PER_MINUTE;

  function pass(ms: number): Promise<void> {
    return new Promise((resolve) => clock.setTimer(resolve, ms));
  }

  const server = async (): Promise<Response> => {
    await pass(WAY / 2);
    const now = clock.now();
    if (minute !== Math.floor(now / MINUTE)) {
      minute = Math.floor(now / MINUTE);
      left = PER_MINUTE;
    }
    seen.requests++;
    const isRefused = left === 0;
    if (isRefused) seen.refused++;
    else left--;
    const seconds = Math.ceil(((minute + 1) * MINUTE - now) / 1_000);
    await pass(WAY / 2);
    return new Response(null, isRefused ? { status: 429, headers: { "retry-after": `${seconds}` } } : undefined);
  };

  const work = async (n: number) => {
    const random = seededRandom(1_000 * seed + n);
    const fleet = join({ random });
    const pauses = fleet.pauses({ key: ({ url, headers }) => `${url.origin} ${headers.get("authorization")}` });
    const pauseOrigin = pausing === "shared" ? pauses : pausing === "own";
    const api = retryFetch({ fetch: server, clock, random, pauseOrigin });
    const calls = async () => {
      await pass(random() * 1_000);
      while (clock.now() < MINUTES * MINUTE) {
        const { ok } = await api("https://api.example/", { headers: { authorization: "Bearer ours" } });
        if (ok) seen.done++;
        await pass(500 + random() * 1_000);
      }
    };
    await Promise.all(Array.from({ length: CALLERS / processes }, calls));
    await fleet.close();
  };

  const all = Promise.all(Array.from({ length: processes }, (_, n) => work(n)));
  for (let minute = 0; minute < MINUTES + 3; minute++) await clock.advance(MINUTE);
  await all;
  return { ...seen, exchanges: way.requests.length };
}

const docs = readFileSync(new URL("../../docs/fleet.md", import.meta.url), "utf8");

/** The row of a table in the docs. */
function row(first: string): number[] {
  const line = docs.split("\n").find((each) => each.startsWith(`| ${first} |`));
  return (line ?? "")
    .split("|")
    .slice(2, -1)
    .map((cell) => Number(cell.replaceAll(",", "")));
}

describe.each([50, 10])("50 callers in %i processes of a server that limits them together", (processes) => {
  it.each<[string, Pausing]>([
    ["no `pauseOrigin`", "none"],
    ["`pauseOrigin: true`", "own"],
    ["`fleet.pauses`", "shared"],
  ])(
    "with %s send as many requests, have as many refused and exchange as much as docs/fleet.md says",
    async (name, pausing) => {
      const { requests, refused, done, exchanges } = await measured(processes, pausing);

      expect([requests, refused, done, exchanges]).toEqual(row(`${processes} processes, ${name}`));
    },
  );
});

it("a fleet's pauses leave one refusal in ten of those that processes of their own meet, and as many calls are done", async () => {
  for (const seed of [2, 3]) {
    const [own, shared] = [await measured(50, "own", seed), await measured(50, "shared", seed)];

    expect(shared.refused).toBeLessThan(own.refused / 10);
    expect(shared.done).toBeGreaterThanOrEqual(0.98 * own.done);
    expect(shared.exchanges).toBeLessThan(shared.requests / 2);
  }
});
