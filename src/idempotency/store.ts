/** What stands under a key that is not free. */
export type Held =
  /** Another run holds it; its lease ends in `retryAfter` ms unless it is renewed. */
  | { readonly state: "running"; readonly fingerprint: string; readonly retryAfter: number }
  /** A run has recorded `record` under it. */
  | { readonly state: "done"; readonly fingerprint: string; readonly record: string };

/** What a store returns to a run that asks for a key. */
export type Claim =
  /**
   * The key is this run's, for as long as the lease lasts; no other run has its `token`. `inTransaction`: the store writes in the
   * transaction that the call writes in, so that the key is safe until that ends, and what cannot be recorded was not done.
   */
  { readonly state: "won"; readonly token: string; readonly inTransaction?: boolean } | Held;

/**
 * Where keys and results are kept. Each method is one indivisible step. A key whose lease or whose record is over is free; what
 * is asked with a token that holds no lease any more changes nothing.
 */
export interface IdempotencyStore {
  /** Takes a free key for `lease` ms. */
  claim(key: string, fingerprint: string, lease: number): Promise<Claim>;
  /** Lets the lease last for another `lease` ms from now; returns whether the token still holds one. */
  renew(key: string, token: string, lease: number): Promise<boolean>;
  /** Records the result, for `keep` ms; returns whether the token still held the lease. The same record twice is one. */
  record(key: string, token: string, record: string, keep: number): Promise<boolean>;
  /** Frees the key, if the token still holds it. */
  release(key: string, token: string): Promise<void>;
  /** Returns what stands under the key, and changes nothing. Needed for `peek`, `settle`, `forget` and `wasDone`. */
  peek?(key: string): Promise<Held | undefined>;
  /**
   * Puts the record `to` in the place of the record `from`, for `keep` ms, or frees the key where `to` is `undefined`; returns
   * whether `from` stood there. Needed for `settle`, `forget`, `wasDone`, and to record what comes after `maxRun`.
   */
  swap?(key: string, from: string, to: string | undefined, keep: number): Promise<boolean>;
}
