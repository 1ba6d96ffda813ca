/**
 * A source of randomness that plays the same numbers for the same seed, for the `random` option. (mulberry32, public
 * domain, by Tommy Ettinger: good enough for jitter, not for secrets.)
 *
 * @example
 * seededRandom(1)() === seededRandom(1)(); // => true
 */
export function seededRandom(seed: number): () => number {
  if (!Number.isFinite(seed)) throw new RangeError(`seededRandom: seed must be a finite number, got ${String(seed)}`);
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
