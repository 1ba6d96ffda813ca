/** Members of a fleet that differ in what protects them from the server, and in whether they share it. */
export interface Crew {
  readonly guard: "breaker" | "budget";
  readonly shared: boolean;
}

export const CREWS: readonly Crew[] = [
  { guard: "breaker", shared: true },
  { guard: "breaker", shared: false },
  { guard: "budget", shared: true },
  { guard: "budget", shared: false },
];

/** Where a crew calls. */
export const pathOf = ({ guard, shared }: Crew): string => `/${shared ? "shared" : "own"}/${guard}`;

/** What a process is started with. */
export interface Order {
  readonly url: string;
  readonly redisPort: number;
  /** Of each crew. */
  readonly members: number;
  /** ms between two calls of a member. */
  readonly every: number;
}

/** What the members of one crew in one process have seen. */
export interface Counts {
  calls: number;
  successes: number;
  /** Why calls failed. */
  failures: Record<string, number>;
  /** Attempts that found nobody listening, and those of them that were retries: no server can count these. */
  refused: number;
  refusedRetries: number;
  /** Members that heard that the store is lost. */
  lost: number;
  /** Members whose last call succeeded. */
  well: number;
}

export type CountsByPath = Record<string, Counts>;
