/**
 * A bounded map of things that are made when first asked for. Past `max` it forgets the one that was not asked for
 * longest; a pinned one never. Where all are pinned, a new one is handed out and not kept.
 */
export class Keyed<V> {
  // Each in the order of use, the least recent first.
  readonly #loose = new Map<unknown, V>();
  readonly #pinned = new Map<unknown, V>();

  constructor(
    private readonly max: number,
    private readonly make: (key: unknown) => V,
  ) {}

  get size(): number {
    return this.#loose.size + this.#pinned.size;
  }

  get(key: unknown): V {
    const known = this.#loose.get(key);
    if (known !== undefined) {
      this.#loose.delete(key);
      this.#loose.set(key, known);
      return known;
    }
    const pinned = this.#pinned.get(key);
    if (pinned !== undefined) return pinned;
    const made = this.make(key);
    if (this.size >= this.max) {
      const oldest = this.#loose.keys().next();
      if (oldest.done) return made;
      this.#loose.delete(oldest.value);
    }
    this.#loose.set(key, made);
    return made;
  }

  /** Keeps `value` whatever else is asked for, or lets go of it again; nothing where it is no longer the one kept. */
  pin(key: unknown, value: V, pinned: boolean): void {
    const [from, to] = pinned ? [this.#loose, this.#pinned] : [this.#pinned, this.#loose];
    if (from.get(key) !== value) return;
    from.delete(key);
    to.set(key, value);
  }

  *values(): Iterable<V> {
    yield* this.#loose.values();
    yield* this.#pinned.values();
  }
}
