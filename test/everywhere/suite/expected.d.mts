/** What a runtime's answer to some checks is in place of theirs, what the table says for it, and the reason. */
export interface Difference {
  readonly runtime: RegExp;
  readonly says: readonly string[];
  readonly answer: unknown;
  readonly cell: string;
  readonly why: string;
}

export const DIFFERENCES: readonly Difference[];

export function differenceOf(runtime: string, says: string): Difference | undefined;
