import fc from "fast-check";
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitOpenError,
  type CircuitVerdict,
  circuitBreaker,
  NonRetryableError,
  type Outcome,
  retry,
  retryNever,
} from "undaunted";
import { virtualClock } from "undaunted/testing";
import { expect } from "vitest";
import { CircuitModel, LEASE_ENDED, limitsOf, type Permit } from "./model.js";

/** How a call ends. */
export interface Answer {
  readonly returns: boolean;
  /** What a classify of the user's own makes of it. */
  readonly verdict: CircuitVerdict;
  /** What kind of error it throws. */
  readonly kind: "plain" | "non-retryable" | "abort";
  readonly retryAfter: number | undefined;
}

/** Around the call: whether its time can run out, and a signal. */
interface Policy {
  readonly limit?: "attemptTimeout" | "totalTimeout" | undefined;
  readonly ms: number;
  readonly aborts: boolean;
}

export const answer: fc.Arbitrary<Answer> = fc.record({
  returns: fc.boolean(),
  verdict: fc.constantFrom("success" as const, "failure" as const, "ignored" as const),
  kind: fc.constantFrom(
    "plain" as const,
    "plain" as const,
    "plain" as const,
    "non-retryable" as const,
    "abort" as const,
  ),
  retryAfter: fc.option(fc.nat(900), { nil: undefined }),
});
const policy: fc.Arbitrary<Policy> = fc.record({
  limit: fc.constantFrom(undefined, "attemptTimeout" as const, "attemptTimeout" as const, "totalTimeout" as const),
  ms: fc.integer({ min: 1, max: 120 }),
  aborts: fc.boolean(),
});

/** By anyone's judgement. */
export const FAILURE: Answer = { returns: false, verdict: "failure", kind: "plain", retryAfter: undefined };

const classify = (outcome: Outcome) => (outcome.ok ? outcome.value : outcome.error).answer.verdict;

export const share = fc.constantFrom(0.2, 1 / 3, 0.5, 0.75, 1);
const rates = fc
  .record({
    failureRate: fc.option(share, { nil: undefined, freq: 2 }),
    slow: fc.option(fc.record({ slowRate: share, slowAfter: fc.integer({ min: 1, max: 100 }) }), {
      nil: undefined,
      freq: 1,
    }),
    window: fc.oneof(
      fc.record({ calls: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ ms: fc.integer({ min: 1, max: 60 }).map((tenth) => 10 * tenth) }),
      fc.constant(undefined),
    ),
    minimumCalls: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  })
  .filter(({ failureRate, slow }) => failureRate !== undefined || slow !== undefined)
  .map(({ failureRate, slow, window, minimumCalls }) => {
    const most = window && "calls" in window ? window.calls : Infinity;
    return { failureRate, ...slow, window, minimumCalls: minimumCalls && Math.min(minimumCalls, most) };
  });
export const options: fc.Arbitrary<CircuitBreakerOptions> = fc
  .tuple(
    fc.record({
      consecutiveFailures: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 2 }),
      halfOpen: fc.option(
        fc.record({
          calls: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
          failureRate: fc.option(share, { nil: undefined }),
        }),
        { nil: undefined },
      ),
      openFor: fc.oneof(
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 1, max: 100 }).map((ms) => (openings: number) => ms * openings ** 2),
        fc.constant(4_000_000),
        fc.constant(undefined),
      ),
      maxOpenFor: fc.option(fc.nat(800), { nil: undefined }),
      lease: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.constant(undefined)),
      classify: fc.constantFrom(undefined, undefined, classify),
    }),
    fc.oneof(fc.constant({}), rates),
  )
  .map(([rest, given]) => ({ ...rest, ...given }));

/** A call in flight, in the model and in reality. */
interface Call {
  readonly permit: Permit;
  readonly circuit: CircuitModel;
  readonly policy: Policy | undefined;
  readonly deadline: number;
  /** Nobody waits for it any more. */
  abandoned: boolean;
}

interface Model {
  now: number;
  circuit: CircuitModel;
  calls: Call[];
  readonly classifies: boolean;
}

class Real {
  readonly clock = virtualClock();
  breaker: CircuitBreaker;
  changes: string[] = [];
  refusals: CircuitOpenError[] = [];
  /** What ends each call in flight. */
  readonly ends: ((outcome: Outcome<unknown>) => void)[] = [];
  aborter = new AbortController();
  /** The breaker's clock is ahead by so many ms. */
  ahead = 0;

  constructor(
    readonly options: CircuitBreakerOptions,
    /** Whether the state is looked at after every step. */
    readonly peeks: boolean,
  ) {
    this.breaker = this.make();
  }

  private make(initialState?: CircuitBreakerOptions["initialState"]): CircuitBreaker {
    const { ahead } = this;
    const [changes, refusals]: [string[], CircuitOpenError[]] = [[], []];
    this.changes = changes;
    this.refusals = refusals;
    return circuitBreaker({
      ...this.options,
      initialState,
      // The very clock of the policies, where it may be: one that both share is read less often.
      clock: ahead === 0 ? this.clock : { now: () => this.clock.now() + ahead },
      onStateChange: ({ from, to }) => changes.push(`${from} > ${to}`),
      onRefused: ({ error }) => refusals.push(error),
    });
  }

  /** Goes on in another process, whose clock is ahead by `ahead` ms. */
  restore(ahead: number): void {
    const saved = JSON.parse(JSON.stringify(this.breaker));
    this.ahead = ahead;
    this.breaker = this.make(saved);
    expect(this.breaker.toJSON()).toEqual(saved);
  }
}

export function outcomeOf(answer: Answer): Outcome<unknown> {
  return answer.returns ? { ok: true, value: { answer } } : { ok: false, error: errorOf(answer) };
}

function errorOf(answer: Answer): Error {
  const error = answer.kind === "non-retryable" ? new NonRetryableError("wrong") : new Error("fails");
  if (answer.kind === "abort") error.name = "AbortError";
  return Object.assign(error, { answer, retryAfter: answer.retryAfter });
}

/** What a breaker takes it for, by a classify of the user's own or by itself. */
export function verdictOf(answer: Answer, classifies: boolean): CircuitVerdict {
  if (classifies) return answer.verdict;
  if (answer.returns) return "success";
  return answer.kind === "plain" ? "failure" : "ignored";
}

const isPermit = (asked: object): asked is Permit => "era" in asked;

/** A step of a history; after each the breaker must stand where the model does. */
abstract class Step implements fc.AsyncCommand<Model, Real> {
  check(_model: Readonly<Model>): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.both(model, real);
    await pass(0, model, real);
    if (real.peeks) look(model, real);
    expect(real.breaker.stats).toEqual(model.circuit.stats);
    expect(real.changes).toEqual(model.circuit.changes);
    expect(real.refusals.map(({ retryAfter }) => retryAfter)).toEqual(model.circuit.refusals);
  }

  abstract both(model: Model, real: Real): Promise<void> | void;
  abstract toString(): string;
}

function look(model: Model, real: Real): void {
  model.circuit.look(model.now);
  expect(real.breaker.state).toBe(model.circuit.era.name);
}

/** Lets time pass, and the attempts time out whose time it is. */
async function pass(ms: number, model: Model, real: Real): Promise<void> {
  const until = model.now + ms;
  const due = model.calls.filter(({ abandoned, deadline }) => !abandoned && deadline <= until);
  for (const call of due.sort((a, b) => a.deadline - b.deadline)) {
    model.now = Math.max(model.now, call.deadline);
    call.abandoned = true;
    const verdict = call.policy?.limit === "attemptTimeout" ? "failure" : "ignored";
    call.circuit.end(
      call.permit,
      verdict,
      expect.objectContaining({ code: "ERR_ATTEMPT_TIMEOUT" }),
      undefined,
      model.now,
    );
  }
  model.now = until;
  await real.clock.advance(ms);
}

function expectRefusal(error: unknown, circuit: CircuitModel): void {
  const { cause } = circuit;

  expect(error).toBeInstanceOf(CircuitOpenError);
  const refusal = error as CircuitOpenError;
  expect(refusal.retryAfter).toBe(circuit.refusals.at(-1));
  if (cause === LEASE_ENDED) expect(String(refusal.cause)).toContain("lease ended");
  else if (cause instanceof Error || cause === undefined) expect(refusal.cause).toBe(cause);
  else expect(refusal.cause).toEqual(cause);
}

/** Where calls of less than a slice ago are out, the breaker may date their permits with the next one's. */
function isExact({ circuit, now }: Readonly<Model>, lease: number): boolean {
  return circuit.era.name !== "closed" || circuit.out.every(({ at }) => at === now || now - at > lease / 16);
}

class Start extends Step {
  constructor(
    readonly lease: number,
    readonly how: "wrap" | "run",
    readonly policy: Policy | undefined,
    /** How it ends at once. */
    readonly answer: Answer | undefined,
  ) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return isExact(model, this.lease);
  }

  async both(model: Model, real: Real): Promise<void> {
    const { policy, answer } = this;
    const { circuit, now } = model;
    const asked = circuit.ask(now);
    const outcome = answer && outcomeOf(answer);
    const { made, error } = await this.start(real, outcome);

    expect(made).toBe(isPermit(asked));
    if (!isPermit(asked)) return expectRefusal(error, circuit);
    const deadline = now + (policy?.limit ? policy.ms : Infinity);
    const call = { circuit, permit: asked, policy, deadline, abandoned: false };
    if (answer) end(model, call, answer, outcome!);
    else model.calls.push(call);
  }

  private async start(real: Real, outcome: Outcome<unknown> | undefined): Promise<{ made: boolean; error: unknown }> {
    const { breaker, clock, aborter } = real;
    const { policy } = this;
    let made = false;
    const fn = () => {
      made = true;
      if (outcome) return valueIn(outcome);
      return new Promise((resolve, reject) => {
        real.ends.push((end) => (end.ok ? resolve(end.value) : reject(end.error)));
      });
    };
    const guarded = this.how === "wrap" ? breaker.wrap(fn) : () => breaker.run(fn);
    const call = policy
      ? retry(guarded, {
          clock,
          retryIf: retryNever,
          signal: policy.aborts ? aborter.signal : undefined,
          ...(policy.limit && { [policy.limit]: policy.ms }),
        })
      : guarded;
    let error: unknown;
    call().catch((reason: unknown) => {
      error = reason;
    });
    await clock.advance(0);
    return { made, error };
  }

  toString(): string {
    return `start ${fc.stringify([this.how, this.policy, this.answer])}`;
  }
}

class StartSync extends Step {
  constructor(
    readonly lease: number,
    readonly how: "wrapSync" | "runSync",
    readonly answer: Answer,
    readonly ms: number,
  ) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return isExact(model, this.lease);
  }

  both(model: Model, real: Real): void {
    const { circuit } = model;
    const asked = circuit.ask(model.now);
    const outcome = outcomeOf(this.answer);
    let made = false;
    const fn = () => {
      made = true;
      real.clock.sleepSync(this.ms);
      return valueIn(outcome);
    };
    let error: unknown;
    try {
      if (this.how === "wrapSync") real.breaker.wrapSync(fn)();
      else real.breaker.runSync(fn);
    } catch (reason) {
      error = reason;
    }

    expect(made).toBe(isPermit(asked));
    if (!isPermit(asked)) return expectRefusal(error, circuit);
    model.now += this.ms;
    end(model, { circuit, permit: asked }, this.answer, outcome);
  }

  toString(): string {
    return `${this.how} ${fc.stringify([this.answer, this.ms])}`;
  }
}

function valueIn(outcome: Outcome<unknown>): unknown {
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

function end(
  { now, classifies }: Model,
  { circuit, permit, abandoned }: Partial<Call> & Pick<Call, "circuit" | "permit">,
  answer: Answer,
  outcome: Outcome<unknown>,
): void {
  if (abandoned) return;
  const verdict = verdictOf(answer, classifies);
  if (outcome.ok) circuit.end(permit, verdict, undefined, undefined, now);
  else circuit.end(permit, verdict, outcome.error, answer.retryAfter, now);
}

class Settle extends Step {
  constructor(
    readonly index: number,
    readonly answer: Answer,
  ) {
    super();
  }

  override check({ calls }: Readonly<Model>): boolean {
    return calls.length > 0;
  }

  both(model: Model, real: Real): void {
    const index = this.index % model.calls.length;
    const outcome = outcomeOf(this.answer);
    end(model, model.calls.splice(index, 1)[0]!, this.answer, outcome);
    real.ends.splice(index, 1)[0]!(outcome);
  }

  toString(): string {
    return `settle ${fc.stringify([this.index, this.answer])}`;
  }
}

class Advance extends Step {
  constructor(readonly ms: number) {
    super();
  }

  async both(model: Model, real: Real): Promise<void> {
    await pass(this.ms, model, real);
  }

  toString(): string {
    return `advance ${this.ms}`;
  }
}

/** Advances to when something changes by itself, or just before or after. */
class AdvanceTo extends Step {
  constructor(
    readonly index: number,
    readonly off: number,
  ) {
    super();
  }

  async both(model: Model, real: Real): Promise<void> {
    const dates = model.circuit.dates.map((at) => at + this.off).filter((at) => at >= model.now);
    if (dates.length > 0) await pass(dates[this.index % dates.length]! - model.now, model, real);
  }

  toString(): string {
    return `advance to ${this.index}, off by ${this.off}`;
  }
}

class Abort extends Step {
  both({ calls, now }: Model, real: Real): void {
    for (const call of calls.filter(({ policy, abandoned }) => policy?.aborts && !abandoned)) {
      call.abandoned = true;
      call.circuit.end(call.permit, "ignored", undefined, undefined, now);
    }
    real.aborter.abort();
    real.aborter = new AbortController();
  }

  toString(): string {
    return "abort";
  }
}

class ByHand extends Step {
  constructor(readonly action: "isolate" | "close") {
    super();
  }

  both({ circuit, now }: Model, real: Real): void {
    circuit[this.action](now);
    real.breaker[this.action]();
  }

  toString(): string {
    return this.action;
  }
}

class Look extends Step {
  both(model: Model, real: Real): void {
    look(model, real);
  }

  toString(): string {
    return "look";
  }
}

class Restore extends Step {
  constructor(readonly ahead: number) {
    super();
  }

  both(model: Model, real: Real): void {
    model.circuit = model.circuit.restored(model.now, -this.ahead);
    real.restore(this.ahead);
    model.circuit.look(model.now);
  }

  toString(): string {
    return `restore ${this.ahead}`;
  }
}

const index = fc.nat(20);

/** Random steps of a breaker with such options. */
function steps(options: CircuitBreakerOptions): fc.Arbitrary<fc.AsyncCommand<Model, Real>>[] {
  const { lease = 60_000 } = options;
  const none = fc.constant(undefined);
  const start = fc
    .constantFrom("wrap" as const, "run" as const)
    .chain((how) =>
      fc
        .tuple(fc.oneof(none, policy), fc.oneof(none, none, answer))
        .map(([around, atOnce]) => new Start(lease, how, around, atOnce)),
    );
  // Where a success needs no clock, leases that ended before it without a look at the breaker are noticed only after it.
  const longest = alwaysReads(options) ? 90 : 0;
  const startSync = fc
    .tuple(fc.constantFrom("wrapSync" as const, "runSync" as const), answer, fc.oneof(fc.constant(0), fc.nat(longest)))
    .map(([how, answer, ms]) => new StartSync(lease, how, answer, ms));
  const settle = fc.tuple(index, answer).map((of) => new Settle(...of));
  const advance = fc
    .oneof(fc.nat(5), fc.constant(Math.floor(lease / 16) + 1), fc.nat(200), fc.nat(2 * lease))
    .map((ms) => new Advance(ms));
  const advanceTo = fc.tuple(index, fc.constantFrom(-1, 0, 0, 1)).map((of) => new AdvanceTo(...of));
  const other = fc.oneof(fc.constant(new Abort()), fc.constant(new Look()));
  const end = fc.oneof(
    fc.constant(new ByHand("isolate")),
    fc.constant(new ByHand("close")),
    fc.constant(new ByHand("close")),
    fc.nat(1_000).map((ahead) => new Restore(ahead)),
    fc.nat(1_000).map((ahead) => new Restore(ahead)),
  );
  const often = [start, start, settle, settle, advanceTo];
  return [...often, ...often, ...often, startSync, startSync, advance, advance, other, end];
}

/** Nothing is ever read off without a look at the clock. */
function alwaysReads({ slowRate, window, classify }: CircuitBreakerOptions): boolean {
  return slowRate !== undefined || (window !== undefined && "ms" in window) || classify !== undefined;
}

export const history = options.chain((options) =>
  fc.record({
    options: fc.constant(options),
    peeks: alwaysReads(options) ? fc.boolean() : fc.constant(true),
    steps: fc.commands(steps(options), { maxCommands: 80, size: "max" }),
  }),
);

interface History {
  readonly options: CircuitBreakerOptions;
  readonly peeks: boolean;
  readonly steps: Iterable<fc.AsyncCommand<Model, Real>>;
}

/** Runs a history in the model and in reality, comparing them after each step. */
export async function play({ options, peeks, steps }: History): Promise<{ model: Model; real: Real }> {
  const classifies = options.classify !== undefined;
  const model: Model = { now: 0, circuit: new CircuitModel(limitsOf(options)), calls: [], classifies };
  const real = new Real(options, peeks);
  await fc.asyncModelRun(() => ({ model, real }), steps);
  return { model, real };
}
