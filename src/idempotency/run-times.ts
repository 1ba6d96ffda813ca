const KEPT = 15;

/** How long the last runs of a function took. */
export class RunTimes {
  readonly #last: number[] = [];
  #next = 0;

  add(ms: number): void {
    this.#last[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** The median of the last runs, or `undefined` before the first. */
  get median(): number | undefined {
    const sorted = [...this.#last].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)];
  }
}
