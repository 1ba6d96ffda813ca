import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, Fate } from "./engines/engine.js";
import type { Traits } from "./traits.js";
import type { Act, Call } from "./worker/call.js";
import type { Entry } from "./worker/diary.js";

/** How often each kind of process is killed: all of it in a run of its own, a part in CI. */
const KILLS = Number(process.env.KILLS ?? 20);

/** ms from a decision until its sleep is on record, on a machine that does much else. */
const LATE = 3_000;

const fails = (fields: object = { code: "EBUSY" }): Act => ({ does: "fails", ...fields });
const charges: Act = { does: "charges" };

/** What holds on every engine. */
export function suite({ name }: Traits, start: () => Promise<Engine>): void {
  describe(name, () => {
    let engine: Engine;
    let count = 0;

    beforeAll(async () => {
      engine = await start();
      await engine.startWorker();
    });

    afterAll(() => engine?.close());

    async function submit(policy: Call["policy"], ...acts: Act[]): Promise<string> {
      const id = `${policy}-${++count}`;
      await engine.submit({ id, policy, acts });
      return id;
    }

    const entries = (id: string, what?: Entry["what"]) =>
      engine.diary.read(id).filter((entry) => what === undefined || entry.what === what);
    const attempts = (id: string) => entries(id, "attempt").map(({ attempt }) => attempt);
    const untilTrue = async (isThere: () => boolean | Promise<boolean>, wanted: () => string) => {
      const patience = Date.now() + 60_000;
      while (!(await isThere())) {
        if (Date.now() > patience) throw new Error(wanted());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const story = (id: string) => JSON.stringify(entries(id), null, 1);
    const until = async (id: string, what: Entry["what"]): Promise<Entry> => {
      await untilTrue(
        () => entries(id, what).length > 0,
        () => `no "${what}" of ${id}: ${story(id)}`,
      );
      return entries(id, what)[0]!;
    };
    const ends = async (id: string, as: Fate) => {
      await untilTrue(
        async () => (await engine.fate(id)) !== "under way",
        () => `${id} does not end: ${story(id)}`,
      );
      expect(await engine.fate(id), story(id)).toBe(as);
    };

    /** No attempt began before it was due. How late it is depends on the machine. */
    function expectDelays(id: string): void {
      for (const retry of entries(id, "retry")) {
        const next = entries(id, "attempt").find(({ attempt }) => attempt === retry.attempt + 1)!;
        // Both sides read the clock in whole ms.
        expect(next.at - retry.at, story(id)).toBeGreaterThanOrEqual(Math.floor(retry.delay!) - 2);
      }
    }

    /** When the engine will begin the next attempt of a call that sleeps. */
    async function dueOf(id: string): Promise<number> {
      let due: number | undefined;
      await untilTrue(
        async () => {
          due = await engine.due(id);
          return due !== undefined;
        },
        () => `${id} does not sleep: ${story(id)}`,
      );
      return due!;
    }

    describe.concurrent("a policy", () => {
      it("waits with full jitter, no two delays alike", async () => {
        const id = await submit("jitter", fails(), fails(), fails(), fails(), charges);

        await ends(id, "completed");

        const delays = entries(id, "retry").map(({ delay }) => delay!);
        expect(delays).toHaveLength(4);
        expect(new Set(delays).size).toBe(4);
        for (const [index, delay] of delays.entries())
          expect(delay).toBeLessThanOrEqual(Math.min(800, 200 * 2 ** index));
        expectDelays(id);
      });

      it("waits as long as the error asks for", async () => {
        const id = await submit("hinted", fails({ code: "EBUSY", retryAfter: 1_300 }), charges);

        await ends(id, "completed");

        expect(entries(id, "retry").map(({ delay }) => delay)).toEqual([1_300]);
        expectDelays(id);
      });

      it("gives up at once on what is not retryable", async () => {
        const id = await submit("picky", fails({ code: "EINVAL" }));

        await ends(id, "failed");

        expect(attempts(id)).toEqual([1]);
        expect(entries(id, "given up")).toMatchObject([{ reason: "not-retryable", code: "EINVAL" }]);
      });

      it("gives up after its last attempt, once", async () => {
        const id = await submit("quick", fails());

        await ends(id, "failed");

        expect(attempts(id)).toEqual([1, 2, 3]);
        expect(entries(id, "given up")).toMatchObject([{ reason: "stopped", code: "EBUSY" }]);
      });

      it("keeps a limit for each kind of error", async () => {
        const id = await submit("perError", fails(), fails({ status: 429 }), fails(), fails({ status: 429 }), charges);

        await ends(id, "failed");

        expect(attempts(id)).toEqual([1, 2, 3, 4]);
      });

      it("ends an attempt that takes too long, and tries again", async () => {
        const id = await submit("timeout", { does: "hangs" }, charges);

        await ends(id, "completed");

        expect(attempts(id)).toEqual([1, 2]);
        expect(entries(id, "aborted")).toHaveLength(1);
        expect(entries(id, "retry")).toMatchObject([{ attempt: 1, code: "ERR_ATTEMPT_TIMEOUT" }]);
        expect(await engine.charges(id)).toBe(1);
      });

      it("does not retry what a retry inside the attempt has given up on", async () => {
        const id = await submit("quick", { does: "fails inside" });

        await ends(id, "failed");

        expect(attempts(id)).toEqual([1]);
        expect(entries(id, "inner attempt")).toHaveLength(2);
        expect(entries(id, "given up")).toMatchObject([{ reason: "exhausted" }]);
      });

      it("makes no more attempts of a call that is cancelled in its sleep", async () => {
        const id = await submit("patient", fails(), charges);
        const witness = await submit("patient", fails(), charges);
        await dueOf(id);

        await engine.cancel(id);

        await ends(id, "cancelled");
        // One that failed when it did has made its next attempt.
        await ends(witness, "completed");
        expect(attempts(id)).toEqual([1]);
        expect(await engine.charges(id)).toBe(0);
      });
    });

    describe("a process that is killed", () => {
      it("leaves a deadline as it was", async () => {
        const id = await submit("deadline", fails(), { does: "hangs and fails" }, fails());
        const begun = (await until(id, "attempt")).at;
        await until(id, "hangs");

        await engine.killWorker();
        await engine.startWorker();

        await ends(id, "failed");
        expect(entries(id, "given up")).toMatchObject([{ reason: "deadline", code: "ERR_TOTAL_TIMEOUT" }]);
        // No process began it anew: no sleep was begun that would pass it.
        for (const { at, delay } of entries(id, "retry")) expect(at + delay! - begun, story(id)).toBeLessThan(6_000);
      });

      it(`in a sleep or in an attempt, ${KILLS} times each, goes on where it was`, async () => {
        for (let kill = 1; kill <= KILLS; kill++) {
          const sleeping = await submit("sleepy", fails(), charges);
          const inAttempt = await submit("fixed", { does: kill % 2 ? "charges and hangs" : "hangs and charges" });
          const later = await submit("quick", fails(), { does: kill % 2 ? "hangs and charges" : "charges and hangs" });
          const [retry] = await Promise.all([
            until(sleeping, "retry"),
            until(inAttempt, "hangs"),
            until(later, "hangs"),
          ]);
          const due = await dueOf(sleeping);

          await engine.killWorker();
          expect(await engine.due(sleeping), "a sleep of which nobody is awake").toBe(due);
          await engine.startWorker();
          const dueNow = await engine.due(sleeping);

          await Promise.all([sleeping, inAttempt, later].map((id) => ends(id, "completed")));
          // No recorded attempt is repeated, and the one that was killed has its own number again.
          expect(attempts(sleeping)).toEqual([1, 2]);
          expect(attempts(inAttempt)).toEqual([1, 1]);
          expect(attempts(later)).toEqual([1, 2, 2]);
          const pids = entries(sleeping, "attempt").map(({ pid }) => pid);
          expect(new Set(pids).size).toBe(2);
          expectDelays(sleeping);
          // The engine's own sleep is the one that was decided, and goes on: the next process does not begin it anew.
          expect(due - retry.at - retry.delay!).toBeGreaterThanOrEqual(-2);
          expect(due - retry.at - retry.delay!).toBeLessThan(LATE);
          if (dueNow !== undefined) expect(dueNow).toBe(due);
          for (const id of [sleeping, inAttempt, later]) expect(await engine.charges(id)).toBe(1);
        }
      }, 600_000);
    });
  });
}
