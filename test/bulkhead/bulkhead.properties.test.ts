import fc from "fast-check";
import {
  AttemptTimeoutError,
  BulkheadFullError,
  bulkhead,
  retry,
  stopAfterAttempt,
  stopNever,
  waitFixed,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { describe, expect, it } from "vitest";

const fails = new Error("fails");
const SIGNALS = [0, 1];

/** What a call does once it is made. */
type Work = "holds" | "returns" | "throws";

interface Start {
  readonly kind: "start";
  readonly work: Work;
  /** Outside of any policy, or in one that has a signal, a timeout in ms, or both. */
  readonly policy: { readonly signal?: number | undefined; readonly timeout?: number | undefined } | undefined;
}

type Step =
  | Start
  | { readonly kind: "settle"; readonly index: number; readonly ok: boolean }
  | { readonly kind: "abort"; readonly signal: number }
  | { readonly kind: "advance"; readonly ms: number };

const start: fc.Arbitrary<Start> = fc.record({
  kind: fc.constant("start" as const),
  work: fc.constantFrom("holds" as const, "holds" as const, "returns" as const, "throws" as const),
  policy: fc.option(
    fc.record({
      signal: fc.option(fc.constantFrom(...SIGNALS), { nil: undefined }),
      timeout: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    }),
    { nil: undefined },
  ),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: start },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("settle" as const), index: fc.nat(8), ok: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), signal: fc.constantFrom(...SIGNALS) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 15 }) }) },
);
/** Steps between which nothing else gets its turn. */
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 30 });

/** What a bulkhead is, as plainly as it can be said. */
class Model {
  now = 0;
  inFlight: number[] = [];
  queued: number[] = [];
  /** Calls that were refused just now: an abort in the same turn comes before their callers hear of it. */
  refused: number[] = [];
  readonly made: number[] = [];
  readonly outcomes = new Map<number, string>();
  /** Calls whose functions still run, abandoned or not. */
  readonly running = new Set<number>();
  readonly starts: (Start & { readonly at: number })[] = [];

  constructor(
    readonly limit: number,
    readonly queue: number,
  ) {}

  start(call: Start): void {
    const id = this.starts.push({ ...call, at: this.now }) - 1;
    if (this.inFlight.length < this.limit && this.queued.length === 0) this.make(id);
    else if (this.inFlight.length + this.queued.length < this.limit + this.queue) this.queued.push(id);
    else this.refused.push(id);
  }

  private make(id: number): void {
    this.inFlight.push(id);
    this.made.push(id);
    if (this.starts[id]!.work === "holds") this.running.add(id);
  }

  settle(id: number, ok: boolean): void {
    this.running.delete(id);
    this.end(id, ok ? "value" : "fails");
  }

  abort(signal: number): void {
    for (const [id, { policy }] of this.starts.entries()) if (policy?.signal === signal) this.end(id, "aborted");
  }

  advance(ms: number): void {
    const until = this.now + ms;
    const deadline = (id: number) => this.starts[id]!.at + (this.starts[id]!.policy?.timeout ?? Infinity);
    for (;;) {
      const [next] = [...this.inFlight, ...this.queued].sort((a, b) => deadline(a) - deadline(b) || a - b);
      if (next === undefined || deadline(next) > until) break;
      this.end(next, "timed out");
      this.rest();
    }
    this.now = until;
  }

  private end(id: number, outcome: string): void {
    if (this.outcomes.has(id)) return;
    this.outcomes.set(id, outcome);
    this.inFlight = this.inFlight.filter((each) => each !== id);
    this.queued = this.queued.filter((each) => each !== id);
  }

  /** What follows when nothing else happens. */
  rest(): void {
    for (const id of this.refused.splice(0)) this.end(id, "refused");
    for (;;) {
      const done = this.inFlight.find((id) => this.starts[id]!.work !== "holds");
      if (done !== undefined) this.settle(done, this.starts[done]!.work === "returns");
      else if (this.inFlight.length < this.limit && this.queued.length > 0) this.make(this.queued.shift()!);
      else return;
    }
  }
}

/** A real bulkhead under the same steps. */
class Real {
  readonly clock = virtualClock();
  readonly slots;
  readonly made: number[] = [];
  readonly outcomes = new Map<number, string>();
  private readonly controllers = SIGNALS.map(() => new AbortController());
  private readonly ends = new Map<number, (ok: boolean) => void>();
  private count = 0;

  constructor(limit: number, queue: number) {
    this.slots = bulkhead({ limit, queue });
  }

  start({ work, policy }: Start): void {
    const id = this.count++;
    const guarded = this.slots.wrap(() => this.make(id, work));
    const { signal, timeout } = policy ?? {};
    const options = {
      clock: this.clock,
      stop: stopAfterAttempt(1),
      attemptTimeout: timeout,
      signal: signal === undefined ? undefined : this.controllers[signal]!.signal,
    };
    const call = policy ? retry(guarded, options) : guarded;
    call().then(
      () => this.outcomes.set(id, "value"),
      (error: unknown) => this.outcomes.set(id, nameOf(error)),
    );
  }

  private make(id: number, work: Work): unknown {
    this.made.push(id);
    if (work === "returns") return "value";
    if (work === "throws") throw fails;
    return new Promise((resolve, reject) => {
      this.ends.set(id, (ok) => (ok ? resolve("value") : reject(fails)));
    });
  }

  settle(id: number, ok: boolean): void {
    this.ends.get(id)!(ok);
  }

  abort(signal: number): void {
    this.controllers[signal]!.abort("aborted");
    this.controllers[signal] = new AbortController();
  }
}

function nameOf(error: unknown): string {
  if (error instanceof BulkheadFullError) return "refused";
  if (error instanceof AttemptTimeoutError) return "timed out";
  return error === fails ? "fails" : String(error);
}

describe("a bulkhead", () => {
  it("a bulkhead does what a naive model does, whatever starts, settles, throws, times out and is aborted", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        history,
        async (limit, queue, turns) => {
          const model = new Model(limit, queue);
          const real = new Real(limit, queue);

          for (const turn of turns) {
            for (const each of turn) {
              if (each.kind === "start") {
                model.start(each);
                real.start(each);
                expect(real.slots.inFlight).toBeLessThanOrEqual(limit);
                expect(real.slots.queued).toBeLessThanOrEqual(queue);
              } else if (each.kind === "abort") {
                model.abort(each.signal);
                real.abort(each.signal);
              } else if (each.kind === "settle") {
                // Its slot is free only after a microtask: nothing may come between.
                await real.clock.advance(0);
                model.rest();
                const held = [...model.running];
                const id = held[each.index % held.length];
                if (id === undefined) continue;
                real.settle(id, each.ok);
                model.settle(id, each.ok);
                await real.clock.advance(0);
                model.rest();
              } else {
                model.rest();
                model.advance(each.ms);
                await real.clock.advance(each.ms);
              }
            }
            await real.clock.advance(0);
            model.rest();

            expect(real.made).toEqual(model.made);
            expect(real.outcomes).toEqual(model.outcomes);
            expect([real.slots.inFlight, real.slots.queued]).toEqual([model.inFlight.length, model.queued.length]);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("loses no slot to policies that retry, time out and abort, and never has more calls in flight", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 5 }),
        fc.array(
          fc.record({
            at: fc.nat(60),
            durations: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
            timeout: fc.integer({ min: 1, max: 40 }),
            abortAt: fc.option(fc.nat(100), { nil: undefined }),
          }),
          { maxLength: 12 },
        ),
        async (limit, queue, calls) => {
          const clock = virtualClock();
          const slots = bulkhead({ limit, queue });
          const settled = calls.map(({ at, durations, timeout, abortAt }) => {
            const controller = new AbortController();
            let n = 0;
            const work = () =>
              new Promise((resolve, reject) => {
                const last = ++n === durations.length;
                expect(slots.inFlight).toBeLessThanOrEqual(limit);
                clock.setTimer(() => (last ? resolve(n) : reject(fails)), durations[n - 1]!);
              });
            if (abortAt !== undefined) clock.setTimer(() => controller.abort(fails), abortAt);
            const call = retry(slots.wrap(work), {
              clock,
              wait: waitFixed(3),
              stop: durations.length > 1 ? stopAfterAttempt(9) : stopNever,
              totalTimeout: 500,
              attemptTimeout: timeout,
              signal: controller.signal,
            });
            return new Promise<void>((resolve) => {
              clock.setTimer(
                () =>
                  call().then(
                    () => resolve(),
                    () => resolve(),
                  ),
                at,
              );
            });
          });

          await clock.runAll();
          await Promise.all(settled);

          expect([slots.inFlight, slots.queued]).toEqual([0, 0]);
          const hang = () => new Promise(() => {});
          for (let n = 0; n < limit + queue; n++) slots.run(hang);
          expect([slots.inFlight, slots.queued]).toEqual([limit, queue]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
