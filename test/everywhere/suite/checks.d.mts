/** A sentence, and the answer that makes it true. */
export interface Check {
  readonly says: string;
  readonly answer: unknown;
}

export const CHECKS: readonly Check[];
