/** How many reporters there are where so many of `size` bits are set: linear counting, in whole numbers. */
export function estimate(set: number, size: number): number {
  return Math.floor(-size * Math.log(1 - Math.min(set, size - 0.5) / size) + 0.5);
}

/** Reporters of the last slots of time, by a bit each. */
export class Reporters {
  readonly #slots: { index: number; bits: Set<number> }[];

  constructor(
    private readonly size: number,
    private readonly width: number,
    slots: number,
  ) {
    this.#slots = Array.from({ length: slots }, () => ({ index: -1, bits: new Set() }));
  }

  add(reporter: number, now: number): void {
    const index = Math.floor(now / this.width);
    const slot = this.#slots[index % this.#slots.length]!;
    if (slot.index !== index) {
      slot.index = index;
      slot.bits.clear();
    }
    slot.bits.add(reporter % this.size);
  }

  count(now: number): number {
    const newest = Math.floor(now / this.width);
    const all = new Set<number>();
    for (const { index, bits } of this.#slots) {
      if (index > newest - this.#slots.length && index <= newest) for (const bit of bits) all.add(bit);
    }
    return estimate(all.size, this.size);
  }
}
