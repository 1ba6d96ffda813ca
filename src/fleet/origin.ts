/** Strangers that are remembered at most. */
const MOST_STRANGERS = 16;

/**
 * Whose news a process goes by: those of the store that replies to it. A channel may carry another store's, too (another
 * database of the same server, a client with another prefix), whose epochs are none that this process was ever told of.
 */
export class Origin {
  /** What the last reply named, 0 before the first. */
  epoch = 0;
  /** Heard of in news, and not yet asked about. */
  readonly #unknown = new Set<number>();
  /** Those of which a later reply was not. */
  readonly #strangers = new Set<number>();

  /** Whether news are of the store that replies here. Where that is not known yet they are a reason to ask: `ask` is called. */
  isOwn(epoch: number, ask: () => void): boolean {
    if (this.#strangers.has(epoch)) return false;
    if (this.epoch !== 0 && epoch === this.epoch) return true;
    if (this.#unknown.size < MOST_STRANGERS) this.#unknown.add(epoch);
    ask();
    return false;
  }

  /** An exchange begins; returns what takes the epoch of its reply. */
  asking(): (epoch: number) => void {
    const asked = [...this.#unknown];
    return (epoch) => {
      this.epoch = epoch;
      for (const each of asked) if (this.#unknown.delete(each) && each !== epoch) this.#add(each);
      this.#strangers.delete(epoch);
    };
  }

  #add(stranger: number): void {
    if (this.#strangers.size >= MOST_STRANGERS) this.#strangers.clear();
    this.#strangers.add(stranger);
  }
}
