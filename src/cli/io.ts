/** What a command reads from and writes to. */
export interface Io {
  /** The text of a file, or of standard input where the path is `-`. */
  read(path: string): Promise<string>;
  out(text: string): void;
  err(text: string): void;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** The policy, or what was asked of it, is wrong: exit code 1. */
export class PolicyFault extends Error {}

/** The command was called in a way that it cannot be: exit code 2. */
export class UsageFault extends Error {}
