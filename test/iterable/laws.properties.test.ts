import { AsyncLocalStorage } from "node:async_hooks";
import { getEventListeners } from "node:events";
import fc from "fast-check";
import { stopAfterAttempt, TryAgainError, waitFixed } from "undaunted";
import { type Opening, retryIterable } from "undaunted/iterable";
import { virtualClock } from "undaunted/testing";
import { expect, it } from "vitest";

// Whatever a source does and whenever its consumer leaves or aborts: what gets through is a prefix of the truth, a source
// is opened once and again for each failure that is retried, and each that was opened is closed.

/** What a source does next. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("item" as const) },
  { weight: 2, arbitrary: fc.constantFrom("fail" as const, "again" as const) },
  { weight: 1, arbitrary: fc.constantFrom("hang" as const, "deaf" as const, "slow" as const, "end" as const) },
);

const script = fc.record({
  /** One list an opening; the last one that is there serves all later ones. */
  openings: fc.array(
    fc.record({ opens: fc.constantFrom("well", "well", "late", "throws", "rejects"), steps: fc.array(step) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  ),
  attempts: fc.integer({ min: 1, max: 4 }),
  resetOnItem: fc.boolean(),
  attemptTimeout: fc.option(fc.constantFrom(7, 30), { nil: undefined }),
  totalTimeout: fc.option(fc.constantFrom(25, 90), { nil: undefined }),
  abortAt: fc.option(fc.constantFrom(0, 6, 21, 55), { nil: undefined }),
  /** Pulls until it leaves; ms between them. */
  pulls: fc.integer({ min: 0, max: 12 }),
  pause: fc.constantFrom(0, 0, 3),
  leaves: fc.constantFrom("return", "throw", "in a read", "stays") as fc.Arbitrary<
    "return" | "throw" | "in a read" | "stays"
  >,
  asyncHooks: fc.boolean(),
  generator: fc.boolean(),
});
type Script = typeof script extends fc.Arbitrary<infer S> ? S : never;

const request = new AsyncLocalStorage<string>();

/** The sources of a script, which count on from `last`, and what became of them. */
class World {
  readonly clock = virtualClock();
  readonly strays: string[] = [];
  opened = 0;
  closed = 0;
  /** Reads that began before the one before had ended. */
  overlaps = 0;
  failures = 0;
  readonly #reading = new Set<object>();

  constructor(private readonly script: Script) {}

  look(where: string): void {
    if (request.getStore() !== "consumer") this.strays.push(where);
  }

  readonly open = (opening: Opening<number>): AsyncIterable<number> | Promise<AsyncIterable<number>> => {
    this.look("open");
    const { openings } = this.script;
    const { opens, steps } = openings[Math.min(this.opened, openings.length - 1)]!;
    this.opened++;
    if (opens === "throws" || opens === "rejects") {
      this.closed++;
      this.failures++;
      if (opens === "throws") throw new Error("cannot open");
      return Promise.reject(new Error("cannot open"));
    }
    const source = this.#source(opening, steps);
    return opens === "well" ? source : this.#after(4).then(() => source);
  };

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(resolve, ms));
  }

  #source({ last = 0, signal }: Opening<number>, steps: readonly string[]): AsyncIterable<number> {
    let n = last;
    let at = 0;
    let over = false;
    const end = () => {
      if (!over) this.closed++;
      over = true;
    };
    const fail = (error: Error): never => {
      end();
      this.failures++;
      throw error;
    };
    const next = async (): Promise<IteratorResult<number>> => {
      this.look("next");
      if (this.#reading.has(end)) this.overlaps++;
      this.#reading.add(end);
      try {
        for (;;) {
          const step = over ? "end" : (steps[at++] ?? "end");
          if (step === "item") return { done: false, value: ++n };
          if (step === "fail") fail(new Error("cut"));
          if (step === "again") fail(new TryAgainError({ after: 1 }));
          if (step === "slow") await this.#after(2);
          if (step === "deaf") await new Promise(() => {});
          if (step === "hang") {
            await new Promise((_, reject) => {
              if (signal.aborted) reject(signal.reason);
              signal.addEventListener("abort", () => reject(signal.reason));
            }).catch(() => fail(new Error("hung")));
          }
          if (step === "end") {
            end();
            return { done: true, value: undefined };
          }
        }
      } finally {
        this.#reading.delete(end);
      }
    };
    const close = async (): Promise<IteratorResult<number>> => {
      this.look("return");
      end();
      return { done: true, value: undefined };
    };
    if (!this.script.generator) return { [Symbol.asyncIterator]: () => ({ next, return: close }) };
    // As a generator: its `return` waits for a read in progress.
    let reading: Promise<unknown> = Promise.resolve();
    const queue = <V>(step: () => Promise<V>): Promise<V> => {
      const result = reading.then(step, step);
      reading = result.catch(() => {});
      return result;
    };
    return { [Symbol.asyncIterator]: () => ({ next: () => queue(next), return: () => queue(close) }) };
  }
}

it("holds for any script of items, failures, hanging sources, aborts, deadlines and consumers that leave", async () => {
  await fc.assert(
    fc.asyncProperty(script, async (given) => {
      const world = new World(given);
      const { clock } = world;
      const controller = new AbortController();
      const seen: number[] = [];
      let retried = 0;
      let givenUp = 0;
      let outcome = "left";
      const hook = (then: () => void) => () => {
        world.look("hook");
        then();
        return given.asyncHooks ? Promise.resolve() : undefined;
      };
      const options = {
        clock,
        stop: stopAfterAttempt(given.attempts),
        wait: waitFixed(3),
        attemptTimeout: given.attemptTimeout,
        totalTimeout: given.totalTimeout,
        signal: controller.signal,
        resetOnItem: given.resetOnItem,
        closeTimeout: 5,
        onRetry: hook(() => {}),
        onReopen: hook(() => retried++),
        onGiveUp: hook(() => givenUp++),
      };
      const stream = retryIterable<number>(world.open, options);

      const consume = async () => {
        try {
          for (let n = 0; n < given.pulls; n++) {
            const result = await stream.next();
            if (result.done) {
              outcome = "end";
              return;
            }
            seen.push(result.value);
            if (given.pause > 0) await new Promise<void>((resolve) => clock.setTimer(resolve, given.pause));
          }
          if (given.leaves === "in a read") {
            const read = stream.next();
            await stream.return(undefined);
            const late = await read;
            if (!late.done) seen.push(late.value);
          }
          if (given.leaves === "return") await stream.return(undefined);
          if (given.leaves === "throw") await stream.throw(new Error("mine")).catch(() => {});
        } catch {
          outcome = "failed";
        }
      };
      const consumed = request.run("consumer", consume);
      const { abortAt } = given;
      if (abortAt !== undefined) clock.setTimer(() => request.run("aborter", () => controller.abort()), abortAt);
      for (let ms = 0; ms < 400; ms += 20) await clock.advance(20);
      // A source that hangs, and no limit: nobody ends that read but its consumer.
      const isForced = outcome === "left";
      const force = () => stream.return(undefined);
      if (isForced) await Promise.all([request.run("consumer", force), clock.advance(20)]);
      await Promise.all([consumed, clock.advance(40)]);

      expect(seen).toEqual(seen.map((_, index) => index + 1));
      expect(world.strays).toEqual([]);
      expect(world.overlaps).toBe(0);
      expect(stream.stats.attempts).toBe(world.opened);
      if (world.opened > 0) expect(world.opened).toBe(retried + 1);
      expect(stream.stats.retries).toBe(retried);
      // A consumer that leaves in the very moment in which a read fails has left.
      if (given.leaves !== "in a read") expect(givenUp).toBe(stream.stats.failures);
      expect(stream.stats.failures).toBeLessThanOrEqual(givenUp);
      expect(givenUp).toBeLessThanOrEqual(1);
      // A deaf generator cannot close: its `return` waits for a read that never ends.
      const deaf = given.generator && given.openings.some(({ steps }) => steps.includes("deaf"));
      if (!deaf) expect(world.closed).toBe(world.opened);
      expect(clock.pending).toBe(0);
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
      if (outcome === "end" && !isForced) expect(stream.stats.successes).toBe(1);
    }),
    { numRuns: 400 },
  );
});
