/** What a process is started with. */
export interface Order {
  readonly url: string;
  readonly redisPort: number;
  /** Whose client of Redis it has. */
  readonly client: "ioredis" | "redis";
  readonly pausing: "none" | "own" | "shared";
  /** How it hears of the others: by a push, or by asking before each call. */
  readonly hears: "pushes" | "asks";
}

/** What a process is told: a word, and a credential. */
export type Word = `${"call" | "hold" | "knows" | "work" | "stop" | "close"} ${string}`;

export type Said =
  | "ready"
  | "begun"
  /** What a call ended in. */
  | { readonly status: number }
  /** Whether it goes by a pause. */
  | { readonly knows: boolean }
  /** Calls that were done by callers at work. */
  | { readonly done: number };
