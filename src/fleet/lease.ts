import type { Line } from "./line.js";

/** ms after which a token that nobody used goes back, at the latest twice that. */
const KEPT = 1_000;
/** Tokens asked for in a second, from which on some are leased ahead. */
const STEADY = 2;

/** Tokens that a process has taken before it needs them: as many as it asks for from one report to the next. */
export class Lease {
  #held = 0;
  #used = false;
  #second = -1;
  #asked = 0;
  #askedBefore = 0;
  #watch: (() => void) | undefined;

  constructor(
    private readonly line: Line,
    private readonly giveBack: (tokens: number) => void,
  ) {}

  /** A call asks for a token; returns whether one is held. */
  take(): boolean {
    this.#count();
    this.#used = true;
    if (this.#held < 1) return false;
    this.#held--;
    return true;
  }

  /** How many are to be leased, once fewer than half of them are left. */
  get missing(): number {
    const asked = Math.max(this.#asked, this.#askedBefore);
    const wanted = asked < STEADY ? 0 : Math.ceil((asked * this.line.interval) / 1_000);
    return this.#held < wanted / 2 ? wanted - this.#held : 0;
  }

  add(tokens: number): void {
    this.#held += tokens;
    if (this.#held > 0) this.#watch ??= this.line.later(() => this.#look(), KEPT);
  }

  #count(): void {
    const second = Math.floor(this.line.now / 1_000);
    if (second !== this.#second) {
      this.#askedBefore = second - this.#second === 1 ? this.#asked : 0;
      this.#second = second;
      this.#asked = 0;
    }
    this.#asked++;
  }

  #look(): void {
    this.#watch = undefined;
    const unused = this.#used ? 0 : this.#held;
    this.#used = false;
    this.#held -= unused;
    if (unused > 0) this.giveBack(unused);
    this.add(0);
  }
}
