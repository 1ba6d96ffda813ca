import type { Circuit } from "../circuit/circuit.js";
import type { CircuitLink } from "../circuit/link.js";
import { closed, isolated, type Result, type Rules } from "../circuit/machine.js";
import type { CircuitState } from "../circuit/options.js";
import { resume, theAttempt } from "../common/current.js";
import { observed } from "../common/observed.js";
import { BOOLEAN, readOptions } from "../common/validate.js";
import { askedFor, BreakerReport } from "./breaker-report.js";
import { type FleetContext, Line } from "./line.js";
import { Origin } from "./origin.js";
import { type BreakerReply, type BreakerRequest, COMMAND, PROBE, STATE, type Verdict } from "./protocol.js";

/** ms that a process's own breaker is open where the fleet can be heard. */
const OWN_OPENING = 1_000;
/** ms, about, between two probes of a process that cannot hear its fleet. */
const ALONE = 10_000;
/** ms after which what was heard is looked at again. */
const STALE = 5_000;
/** Calls a second of the whole fleet that ask to be the probe. */
const CLAIMS = 20;
/** What stands for a rate that is off. */
const OFF = 2;

/** Leave to be the fleet's probe. */
class Grant {
  over = false;
  constructor(
    readonly nonce: number,
    readonly verdict: Verdict,
  ) {}
}

/** One breaker's part in its fleet. */
export class SharedBreaker implements CircuitLink {
  readonly line: Line;
  readonly #origin = new Origin();
  readonly rules: Rules;
  /** One object for each verdict. */
  tag: object = {};
  #verdict: Verdict | undefined;
  readonly #report: BreakerReport;
  #first: Promise<void> | undefined;
  #claiming = false;
  #staleAfter: number;
  #command: number = COMMAND.none;
  /** Its user has decided for this process alone. */
  #apart = false;
  #toldOfRule = false;
  #greeted = false;
  #openFor: { openings: number; ms: number } | undefined;

  constructor(
    private readonly circuit: Circuit,
    private readonly own: Rules,
    context: FleetContext,
    key: string,
  ) {
    this.line = new Line(
      context,
      key,
      () => this.look(),
      (lost) => this.#turned(lost),
    );
    this.#report = new BreakerReport(this.line, (report) =>
      this.#send({ ...report, retryAfter: Math.min(report.retryAfter, own.maxOpenFor) }),
    );
    this.#staleAfter = this.line.about(STALE);
    const link = this;
    this.rules = {
      ...own,
      openFor: (openings) => link.#ownOpening(openings),
      get maxOpenFor() {
        return link.#isHeard ? OWN_OPENING : own.maxOpenFor;
      },
    };
    circuit.link = this;
    circuit.stats.fleet = this.line.stats;
    // What its user closed to all calls before, its fleet does not open to them.
    this.#apart = circuit.state.name === "isolated";
    this.#separate();
  }

  get holds(): boolean {
    return this.#isHeard && !this.#apart && this.#verdict!.state !== STATE.closed;
  }

  get #isHeard(): boolean {
    return !this.line.lost && this.#verdict !== undefined;
  }

  admit(state: CircuitState, call: (grant?: unknown) => Promise<unknown>): Promise<unknown> {
    const asked = this.#ask(state);
    if (!asked) return call();
    const attempt = theAttempt();
    return asked.then((grant) => {
      const ending = attempt?.ending;
      if (ending) {
        this.ended(grant);
        throw ending.reason;
      }
      const go = () => call(grant);
      return attempt ? resume(attempt, go) : go();
    });
  }

  /** What a call is to wait for, if anything. */
  #ask(state: CircuitState): Promise<unknown> | undefined {
    const { line } = this;
    if (this.#apart) return undefined;
    if (line.lost) {
      if (line.mayTry) this.look();
      return undefined;
    }
    if (!this.#verdict) return line.isNew ? this.ready() : undefined;
    const age = line.now - line.heardAt;
    if (age > line.context.askAfter) return this.#lookFirst();
    if (age > this.#staleAfter) this.#report.refresh();
    return state === "half-open" && this.holds ? this.#claim() : undefined;
  }

  /** Resolves when the store has answered, or did not in time. */
  ready(): Promise<void> {
    this.#first ??= this.#lookFirst();
    return this.#first;
  }

  #lookFirst(): Promise<void> {
    return this.line.inTime((then) => this.look(then));
  }

  /** Asks where the fleet stands. */
  look(then: () => void = () => {}): void {
    this.#send({}, then, then);
  }

  #claim(): Promise<Grant | undefined> | undefined {
    const { line } = this;
    const { random } = line.context;
    const verdict = this.#verdict!;
    if (this.#claiming || random() * verdict.rate >= CLAIMS) return undefined;
    this.#claiming = true;
    return new Promise((resolve) => {
      let waits = true;
      const answer = (grant?: Grant) => {
        stop();
        this.#claiming = false;
        // A call that did not wait any longer needs no leave.
        if (!waits && grant) this.#end(grant, PROBE.returned, 0);
        waits = false;
        resolve(grant);
      };
      const stop = line.later(answer, line.patience);
      const nonce = this.#send(
        { claim: 1 },
        ({ granted }) => answer(granted === 1 ? new Grant(nonce, this.#verdict!) : undefined),
        answer,
      );
    });
  }

  ended(tag: unknown, result?: Result, now = 0): boolean {
    if (tag instanceof Grant) return this.#probed(tag, result, now);
    if (!result || tag !== this.tag || !this.#isHeard) return false;
    this.#report.add(result, now);
    return false;
  }

  /** Returns whether the fleet judges: a process that lost it while it probed judges by itself. */
  #probed(grant: Grant, result: Result | undefined, now: number): boolean {
    if (grant.over) return true;
    grant.over = true;
    const failed = result && (result.failed || (result.slow && this.own.slowRate <= 1));
    const ended = !result ? PROBE.returned : failed ? PROBE.failed : PROBE.succeeded;
    this.#end(grant, ended, result ? askedFor(result, now) : 0);
    return !this.line.lost;
  }

  #end({ nonce, verdict }: Grant, ended: number, retryAfter: number): void {
    const { epoch, generation } = verdict;
    this.#send({ epoch, generation, probe: nonce, ended, retryAfter });
  }

  commanded(command: "isolate" | "close", options: { local?: boolean | undefined } = {}): void {
    const { local = false } = readOptions(`circuitBreaker.${command}`, options, { local: BOOLEAN });
    this.#apart = local && command === "isolate";
    if (local) {
      // Back with its fleet, wherever that stands by now.
      if (command === "close") this.#forget();
      return;
    }
    this.#command = COMMAND[command];
    if (this.#verdict) this.#verdict = { ...this.#verdict, state: command === "close" ? STATE.closed : STATE.isolated };
    this.look();
  }

  /** What it heard is nothing to go by any more: the next answer decides. */
  #forget(): void {
    this.#verdict = undefined;
    this.look();
  }

  /** ms that an opening of this process's own lasts. */
  #ownOpening(openings: number): number {
    const { line } = this;
    if (this.#isHeard) {
      this.#report.vote();
      return OWN_OPENING;
    }
    // It probes in place of a fleet that was open when the store was lost.
    const alone = this.#verdict?.state === STATE.open && this.circuit.state.name === "half-open";
    return alone ? line.about(ALONE) : this.own.openFor(openings);
  }

  /** Sends what there is to say; returns the nonce. */
  #send(
    more: Partial<BreakerRequest>,
    replied: (reply: BreakerReply) => void = () => {},
    failed: () => void = () => {},
  ): number {
    const { epoch = 0, generation = 0, openings = 0, state: was = STATE.closed, rate = 0 } = this.#verdict ?? {};
    const { failureRate, slowRate, maxOpenFor, halfOpen } = this.own;
    const command = this.#command;
    const rule = {
      failureRate: Math.min(failureRate, OFF),
      slowRate: Math.min(slowRate, OFF),
      openFor: this.#openForOf(openings + 1),
      maxOpenFor,
      probes: halfOpen.calls,
    };
    const request: BreakerRequest = {
      kind: "breaker",
      ...this.line.envelope(),
      ...rule,
      epoch,
      generation,
      was,
      rate,
      calls: 0,
      failures: 0,
      slow: 0,
      retryAfter: 0,
      vote: 0,
      claim: 0,
      probe: 0,
      ended: 0,
      command,
      hello: this.#greeted ? 0 : 1,
      ...more,
    };
    const answered = this.#origin.asking();
    this.line.send(
      request,
      (reply) => {
        answered((reply as BreakerReply).epoch);
        this.#heard(reply as BreakerReply, command);
        replied(reply as BreakerReply);
      },
      failed,
    );
    return request.nonce;
  }

  #openForOf(openings: number): number {
    if (this.#openFor?.openings !== openings) this.#openFor = { openings, ms: this.own.openFor(openings) };
    return this.#openFor.ms;
  }

  #heard(reply: BreakerReply, command: number): void {
    const isFirst = !this.#greeted;
    this.#greeted = true;
    this.#staleAfter = this.line.about(STALE);
    if (command !== COMMAND.none && command === this.#command) this.#command = COMMAND.none;
    this.#follow(reply, isFirst);
    if (reply.differs === 0 || this.#toldOfRule) return;
    this.#toldOfRule = true;
    this.line.context.report(
      new Error(
        `the breaker ${this.line.key} has other options here than in its fleet, which goes by the newest process's`,
      ),
    );
  }

  /** What a push says, if it is of the store that replies to this process; else it asks where its own stands. */
  hear(verdict: Verdict): void {
    if (this.#origin.isOwn(verdict.epoch, () => this.#report.refresh())) this.#follow(verdict);
  }

  /** Goes by a verdict, unless it knows of a newer one. Another epoch is always newer: the store began anew. */
  #follow(verdict: Verdict, isFirst = false): void {
    const last = this.#verdict;
    // What was done by hand has not reached the store.
    if (this.#command !== COMMAND.none) return;
    if (last && last.epoch === verdict.epoch && last.generation >= verdict.generation) {
      if (last.generation === verdict.generation && last.state === verdict.state) this.#verdict = verdict;
      return;
    }
    this.#verdict = verdict;
    this.tag = {};
    this.#report.clear();
    if (this.#apart) return;
    // An opening from before it was shared is its own, and ends by itself.
    if (isFirst && verdict.state === STATE.closed) this.#separate();
    else this.#obey(verdict.state, verdict.openings, verdict.remaining);
  }

  #obey(to: number, openings: number, ms: number): void {
    const { circuit } = this;
    const { state } = circuit;
    const generation = state.generation + 1;
    const since = circuit.settings.clock.now();
    this.#tell(to);
    if (to === STATE.open) circuit.become({ name: "open", generation, openings, since, until: since + ms }, true);
    else if (to === STATE.isolated) circuit.become(isolated(generation), true);
    else if (state.name === "closed") this.#separate();
    else circuit.become(closed(generation), true);
  }

  /** Those who observe hear of it before the state changes. */
  #tell(to: number): void {
    const { clock, eventName: name } = this.circuit.settings;
    const isOpening = to === STATE.open || to === STATE.isolated;
    if (!isOpening && this.circuit.state.name === "closed") return;
    observed.watcher?.emit({ type: isOpening ? "fleet-opened" : "fleet-closed", name }, clock);
  }

  /** What began before belongs to the past. */
  #separate(): void {
    const { state } = this.circuit;
    const generation = state.generation + 1;
    // A probe that is under way gives back nothing now.
    if (state.name === "half-open") this.circuit.become({ ...state, generation, taken: state.recorded }, true);
    else this.circuit.become({ ...state, generation }, true);
  }

  #turned(lost: boolean): void {
    const verdict = this.#verdict;
    if (!lost) {
      this.#verdict = undefined;
      return;
    }
    this.#report.clear();
    // Not all at once: each process probes for itself now.
    if (verdict?.state === STATE.open && !this.#apart) {
      this.#obey(STATE.open, verdict.openings, this.line.context.random() * ALONE);
    }
  }

  /** It is its own breaker again. */
  close(): void {
    this.line.close();
    this.circuit.link = undefined;
    delete this.circuit.stats.fleet;
    this.#separate();
  }
}
