import type { PolicyData, RetryIfData, StopData, WaitData } from "./data.js";

/** What a compiled policy does not say as the data does. */
export interface Loss {
  /** Where in the data, as `wait.waitFullJitter`. */
  readonly path: string;
  readonly wanted: unknown;
  /** What is done instead; `undefined` for nothing. */
  readonly got: unknown;
  readonly why: string;
}

/** When to stop, as engines can say it: whichever comes first. */
export interface Limits {
  readonly attempts: number | undefined;
  /** ms since the call began. */
  readonly within: number | undefined;
}

export type Jitter = "none" | "full" | "equal" | "decorrelated" | { readonly from: number; readonly to: number };

/** An exponential backoff, which is what engines can say: `base` · `factor`^(n-1), at most `max`, in ms. */
export interface Backoff {
  readonly base: number;
  readonly factor: number;
  readonly max: number;
  readonly jitter: Jitter;
}

/** Which errors are retried. */
export type Wanted =
  | { readonly kind: "all" | "none" }
  | { readonly kind: "names" | "all but names"; readonly names: readonly string[] }
  | { readonly kind: "codes"; readonly codes: readonly (string | number)[] };

/** What a policy of data wants, as far as engines may be able to say it. */
export interface Plan {
  readonly limits: Limits;
  readonly backoff: Backoff;
  readonly wanted: Wanted;
}

const A_DAY = 86_400_000;

/** What `retry` does without options, written out. */
const DEFAULTS = {
  stop: { stopAfterAttempt: 4 },
  wait: { waitFullJitter: { base: 500, max: 20_000 } },
  retryIf: "retryIfError",
} as const satisfies PolicyData;

/** `data` with the defaults that it leaves out. */
export function writtenOut(data: PolicyData): PolicyData & Required<Pick<PolicyData, "stop" | "wait" | "retryIf">> {
  return {
    ...data,
    stop: data.stop ?? DEFAULTS.stop,
    wait: data.wait ?? DEFAULTS.wait,
    retryIf: data.retryIf ?? DEFAULTS.retryIf,
  };
}

/** The plan of a policy. What cannot be said of `stop` or `retryIf` is refused, unless its name is in `allow`. */
export function planOf(data: PolicyData, allow: readonly string[], lose: (loss: Loss) => void): Plan {
  const { stop, wait, retryIf } = writtenOut(data);
  const unsaid = (path: string, wanted: unknown, why: string): void => {
    if (!allow.includes(path) && !allow.includes(nameOf(wanted))) {
      throw new TypeError(
        `compilePolicy: ${path} cannot be said there: ${why}; without it ${CONSEQUENCE[path]}. ` +
          `To leave it out all the same, name it: { allow: ["${path}"] }`,
      );
    }
    lose({ path, wanted, got: undefined, why });
  };
  return { limits: limitsOf(stop, unsaid), backoff: backoffOf(wait, "wait", lose), wanted: wantedOf(retryIf, unsaid) };
}

const CONSEQUENCE: Record<string, string> = {
  stop: "it would retry for ever",
  retryIf: "everything would be retried",
};

/** The name in a strategy's data. */
export function nameOf(data: unknown): string {
  return typeof data === "string" ? data : (Object.keys(Object(data))[0] ?? "");
}

type Unsaid = (path: string, wanted: unknown, why: string) => void;

const NO_LIMITS: Limits = { attempts: undefined, within: undefined };

function limitsOf(stop: StopData, unsaid: Unsaid): Limits {
  if (stop === "stopNever") return NO_LIMITS;
  if ("stopAfterAttempt" in stop) return { ...NO_LIMITS, attempts: stop.stopAfterAttempt };
  if ("stopAfterDelay" in stop) return { ...NO_LIMITS, within: stop.stopAfterDelay };
  if ("stopBeforeDelay" in stop) return { ...NO_LIMITS, within: stop.stopBeforeDelay };
  if ("stopAny" in stop) {
    const all = listOf(stop.stopAny).map((each) => limitsOf(each, unsaid));
    return { attempts: least(all.map(({ attempts }) => attempts)), within: least(all.map(({ within }) => within)) };
  }
  if ("stopAll" in stop && listOf(stop.stopAll).length === 1) return limitsOf(listOf(stop.stopAll)[0]!, unsaid);
  unsaid("stop", stop, `${nameOf(stop)} is no count and no time`);
  return NO_LIMITS;
}

function least(numbers: readonly (number | undefined)[]): number | undefined {
  const given = numbers.filter((each) => each !== undefined);
  return given.length > 0 ? Math.min(...given) : undefined;
}

function listOf<T>(parts: T | readonly T[]): readonly T[] {
  return Array.isArray(parts) ? parts : [parts as T];
}

function backoffOf(wait: WaitData, at: string, lose: (loss: Loss) => void): Backoff {
  const name = nameOf(wait);
  const path = `${at}.${name}`;
  const fixed = (ms: number, jitter: Jitter = "none"): Backoff => ({ base: ms, factor: 1, max: ms, jitter });
  const nearly = (got: Backoff, why: string, wanted: unknown = wait): Backoff => {
    lose({ path, wanted, got: { base: got.base, factor: got.factor, max: got.max }, why });
    return got;
  };
  const exponential = (
    given: { base: number; factor?: number; max?: number; min?: number },
    jitter: Jitter,
  ): Backoff => {
    const { base, factor = 2, max = A_DAY, min = 0 } = given;
    if (min > 0)
      lose({
        path: `${path}.min`,
        wanted: min,
        got: Math.max(min, base),
        why: "a least delay is said by the first one only",
      });
    return { base: Math.max(min, base), factor, max, jitter };
  };
  if (wait === "waitNone") return fixed(0);
  if ("waitFixed" in wait) return fixed(wait.waitFixed);
  if ("waitRandom" in wait)
    return nearly(fixed(wait.waitRandom[1]), "a random delay between two bounds is not said: the upper one is");
  if ("waitExponential" in wait) return exponential(wait.waitExponential, "none");
  if ("waitFullJitter" in wait) return exponential(wait.waitFullJitter, "full");
  if ("waitEqualJitter" in wait) return exponential(wait.waitEqualJitter, "equal");
  if ("waitDecorrelatedJitter" in wait) {
    return exponential({ ...wait.waitDecorrelatedJitter, factor: 1.5 }, "decorrelated");
  }
  if ("waitFibonacci" in wait) {
    return nearly(
      exponential({ ...wait.waitFibonacci, factor: 1.618 }, "none"),
      "Fibonacci's numbers grow by the golden ratio, nearly",
    );
  }
  if ("waitIncrementing" in wait) {
    const { start, increment, max = A_DAY } = wait.waitIncrementing;
    return nearly(
      { base: start, factor: increment > 0 ? 2 : 1, max, jitter: "none" },
      "a delay that grows by an amount is not said",
    );
  }
  if ("waitJittered" in wait) {
    const { wait: inner, from, to } = wait.waitJittered;
    const backoff = backoffOf(inner, `${path}.wait`, lose);
    if (backoff.jitter !== "none")
      lose({ path, wanted: { from, to }, got: undefined, why: "a jitter of a jitter is not said" });
    return { ...backoff, jitter: backoff.jitter === "none" ? { from, to } : backoff.jitter };
  }
  if ("waitResetAfter" in wait) {
    return nearly(
      backoffOf(wait.waitResetAfter[0], `${path}[0]`, lose),
      "a backoff never begins anew there",
      wait.waitResetAfter[1],
    );
  }
  const read =
    "waitFromError" in wait ? wait.waitFromError : "waitFromResult" in wait ? wait.waitFromResult : undefined;
  if (read) {
    return nearly(
      backoffOf(read.otherwise, `${path}.otherwise`, lose),
      "a delay that the error asks for is not read",
      read.path,
    );
  }
  if ("ref" in wait)
    return nearly(exponential(DEFAULTS.wait.waitFullJitter, "full"), "a function is no data: the default is said");
  const parts = Object.values(wait)[0] as WaitData | readonly WaitData[];
  const all = listOf(parts).map((part, index) =>
    backoffOf(part, Array.isArray(parts) ? `${path}[${index}]` : path, lose),
  );
  const longest = all.reduce((a, b) => (b.max > a.max ? b : a));
  return all.length === 1 ? longest : nearly(longest, "one backoff is said, not several: the longest of them");
}

function wantedOf(retryIf: RetryIfData, unsaid: Unsaid): Wanted {
  const wanted = sayable(retryIf);
  if (wanted) return wanted;
  unsaid("retryIf", retryIf, `${nameOf(retryIf)} is no list of names or codes`);
  return { kind: "all" };
}

function sayable(retryIf: RetryIfData): Wanted | undefined {
  if (retryIf === "retryIfError") return { kind: "all" };
  if (retryIf === "retryNever") return { kind: "none" };
  if ("retryIfErrorName" in retryIf) return { kind: "names", names: listOf(retryIf.retryIfErrorName) };
  if ("retryIfNotErrorName" in retryIf) return { kind: "all but names", names: listOf(retryIf.retryIfNotErrorName) };
  if ("retryIfErrorCode" in retryIf) return { kind: "codes", codes: listOf(retryIf.retryIfErrorCode) };
  if ("retryIfNot" in retryIf) return negated(sayable(retryIf.retryIfNot));
  if ("retryIfAny" in retryIf) return joined("retryIfAny", listOf(retryIf.retryIfAny));
  if ("retryIfAll" in retryIf) return joined("retryIfAll", listOf(retryIf.retryIfAll));
  return undefined;
}

function negated(wanted: Wanted | undefined): Wanted | undefined {
  if (wanted?.kind === "names") return { kind: "all but names", names: wanted.names };
  return wanted?.kind === "all but names" ? { kind: "names", names: wanted.names } : undefined;
}

/** One of several is wanted: names join. All of several: what is left out joins. */
function joined(by: "retryIfAny" | "retryIfAll", parts: readonly RetryIfData[]): Wanted | undefined {
  const all = parts.map(sayable);
  if (all.length === 1) return all[0];
  // To be wanted by all takes nothing away, and by any of them adds nothing.
  const neutral = by === "retryIfAll" ? "all" : "none";
  const telling = all.filter((each) => each?.kind !== neutral);
  if (telling.length <= 1) return telling[0] ?? { kind: neutral };
  const codes = telling.flatMap((each) => (each?.kind === "codes" ? each.codes : []));
  if (by === "retryIfAny" && telling.every((each) => each?.kind === "codes")) return { kind: "codes", codes };
  const kind = by === "retryIfAny" ? "names" : "all but names";
  const names = telling.flatMap((each) => (each?.kind === kind ? each.names : []));
  return telling.every((each) => each?.kind === kind) ? { kind, names } : undefined;
}
