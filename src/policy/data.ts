/** A value of the program's own, by its name in `refs`. */
export interface Ref {
  readonly ref: string;
}

/** What `describePolicy` says of what was written in code. */
export interface Custom {
  readonly custom: string;
}

type Exponential = { base: number; factor?: number; max?: number; min?: number };
type Read = { path: string; unit?: "ms" | "s"; otherwise: WaitData };

/** A `stop` as data. */
export type StopData =
  | "stopNever"
  | { stopAfterAttempt: number }
  | { stopAfterDelay: number }
  | { stopBeforeDelay: number }
  | { stopAny: readonly StopData[] | StopData }
  | { stopAll: readonly StopData[] | StopData }
  | Ref;

/** A `wait` as data. */
export type WaitData =
  | "waitNone"
  | { waitFixed: number }
  | { waitRandom: readonly [min: number, max: number] }
  | { waitIncrementing: { start: number; increment: number; max?: number } }
  | { waitExponential: Exponential }
  | { waitFullJitter: Exponential }
  | { waitEqualJitter: Omit<Exponential, "min"> }
  | { waitDecorrelatedJitter: { base: number; max?: number } }
  | { waitFibonacci: { base: number; max?: number } }
  | { waitJittered: { wait: WaitData; from: number; to: number; max?: number } }
  | { waitResetAfter: readonly [wait: WaitData, ms: number] }
  | { waitChain: readonly WaitData[] | WaitData }
  | { waitSum: readonly WaitData[] | WaitData }
  | { waitMax: readonly WaitData[] | WaitData }
  | { waitMin: readonly WaitData[] | WaitData }
  | { waitFromError: Read }
  | { waitFromResult: Read }
  | Ref;

/** A `retryIf` as data. */
export type RetryIfData =
  | "retryNever"
  | "retryIfError"
  | { retryIfError: Ref }
  | { retryIfErrorType: Ref | readonly [type: Ref | readonly Ref[], test?: Ref] }
  | { retryIfNotErrorType: Ref | readonly Ref[] }
  | { retryIfErrorName: string | readonly string[] }
  | { retryIfNotErrorName: string | readonly string[] }
  | { retryIfErrorCode: string | number | readonly (string | number)[] }
  | { retryIfErrorMessage: string | { pattern: string; flags?: string } }
  | { retryIfTransient: { idempotent?: boolean; unknown?: boolean; parentMayFollow?: boolean; classify?: Ref } }
  | { retryIfErrorCause: Ref }
  | { retryIfResult: Ref }
  | { retryIfNotResult: Ref }
  | { retryIfOutcome: Ref }
  | { retryIfAny: readonly RetryIfData[] | RetryIfData }
  | { retryIfAll: readonly RetryIfData[] | RetryIfData }
  | { retryIfNot: RetryIfData }
  | Ref;

/** A policy as data: the words are those of the code. */
export interface PolicyData {
  stop?: StopData;
  wait?: WaitData;
  retryIf?: RetryIfData;
  retryExhausted?: boolean;
  /** ms. */
  attemptTimeout?: number | Ref;
  /** ms. */
  totalTimeout?: number;
  name?: string;
  unref?: boolean;
  detached?: boolean;
  budget?: Ref;
  fallback?: Ref;
  onAttempt?: Ref;
  onRetry?: Ref;
  onSuccess?: Ref;
  onGiveUp?: Ref;
  onHookError?: Ref;
  onLateResult?: Ref;
  signal?: Ref;
  clock?: Ref;
  random?: Ref;
}

/** A `retryPolicy` of gRPC, as a service config has it. */
export interface GrpcRetryPolicy {
  maxAttempts: number;
  /** As `"0.1s"`. */
  initialBackoff: string;
  maxBackoff: string;
  backoffMultiplier: number;
  /** Names or numbers of codes. */
  retryableStatusCodes: readonly (string | number)[];
}

/** The retry mode of an AWS SDK, as its client takes it. */
export interface AwsRetryMode {
  retryMode: "standard";
  /**
   * The first one included.
   * @default 3
   */
  maxAttempts?: number;
}

/** A described policy: what was not data is `{ custom }`. */
export type DescribedPolicy = { readonly [Name in keyof PolicyData]: PolicyData[Name] | Custom };
