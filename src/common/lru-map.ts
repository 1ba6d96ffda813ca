import { requireSync } from "./thenable.js";

/** What can be distinguished as the keys of a `Map` are: a host, a shard, an object that stands for one. */
export type Key = string | number | bigint | boolean | symbol | object | null;

/** Refuses what is no key: nothing at all, or a promise, of which each is another. */
export function checkKey(owner: string, key: unknown): Key {
  if (key === undefined) throw new TypeError(`${owner}: key must not be undefined`);
  return requireSync(`${owner}: key`, key) as Key;
}

/**
 * A bounded map of things that are made when first asked for. Past `max` it forgets the one that was not asked for
 * longest; a pinned one only where all are pinned and it is over. Where none may go, a new one is handed out and not kept.
 */
export class LruMap<V> {
  // Loose ones in the order of use, the least recent first; pinned ones in the order in which they were looked at.
  readonly #loose = new Map<unknown, V>();
  readonly #pinned = new Map<unknown, V>();

  constructor(
    private readonly max: number,
    /** A fleet puts its own around it. */
    public make: (key: unknown) => V,
    private readonly isOver: (pinned: V) => boolean = () => false,
  ) {}

  get size(): number {
    return this.#loose.size + this.#pinned.size;
  }

  get(key: unknown): V {
    return this.#find(key) ?? this.#add(key);
  }

  #find(key: unknown): V | undefined {
    const loose = this.#loose.get(key);
    if (loose === undefined) return this.#pinned.get(key);
    this.#loose.delete(key);
    this.#loose.set(key, loose);
    return loose;
  }

  #add(key: unknown): V {
    if (this.size >= this.max) {
      this.#forgetOne();
      // That may have run code of the user's, which asked for the key itself.
      const found = this.#find(key);
      if (found !== undefined) return found;
    }
    const made = this.make(key);
    if (this.size < this.max) this.#loose.set(key, made);
    return made;
  }

  #forgetOne(): void {
    for (const [key] of this.#loose) {
      this.#loose.delete(key);
      return;
    }
    // One look for each new key: where many are pinned, a search through all of them would cost more than it saves.
    for (const [key, value] of this.#pinned) {
      const over = this.isOver(value);
      if (this.#pinned.get(key) !== value) return;
      this.#pinned.delete(key);
      if (!over) this.#pinned.set(key, value);
      return;
    }
  }

  /** Keeps `value` whatever else is asked for, or lets go of it again; nothing where it is no longer the one kept. */
  pin(key: unknown, value: V, pinned: boolean): void {
    const [from, to] = pinned ? [this.#loose, this.#pinned] : [this.#pinned, this.#loose];
    if (from.get(key) !== value) return;
    from.delete(key);
    to.set(key, value);
  }

  *entries(): Iterable<readonly [key: unknown, value: V]> {
    yield* this.#loose;
    yield* this.#pinned;
  }
}
