import { firstUsable, type HeaderSource } from "./header-values.js";

/**
 * ms that a hint asks for, from 0 and at most `Number.MAX_SAFE_INTEGER` (285,000 years): a hint that is too long stays
 * too long, and what is counted with it stays finite.
 */
export function hintOf(ms: number): number {
  return Math.min(Math.max(0, ms), Number.MAX_SAFE_INTEGER);
}

/** Whole seconds, in ms. Digits only: `Number` would also read "", "0x10" and "1e3". */
export function secondsIn(text: string): number | undefined {
  return /^\d+$/.test(text) ? hintOf(Number(text) * 1_000) : undefined;
}

/** Seconds, perhaps with decimals, in ms. */
export function decimalSecondsIn(text: string): number | undefined {
  const seconds = decimalIn(text);
  return seconds === undefined ? undefined : hintOf(seconds * 1_000);
}

/** A number from 0, perhaps with decimals: what vendors send where no standard says that it is whole. */
export function decimalIn(text: string): number | undefined {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** ms that a header's value asks for, `sent` being the time at which it was written, in epoch ms. */
export type ReadHint = (text: string, sent: number) => number | undefined;

/** Headers that may hold a hint, in the order in which they are believed. */
export type Hints = readonly (readonly [name: string, read: ReadHint])[];

/** The first hint that can be used. */
export function firstHint(headers: HeaderSource, hints: Hints, sent: number): number | undefined {
  for (const [name, read] of hints) {
    const ms = firstUsable(headers, name, (text) => read(text, sent));
    if (ms !== undefined) return ms;
  }
  return undefined;
}
