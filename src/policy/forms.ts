import {
  retryIfError,
  retryIfErrorCause,
  retryIfErrorCode,
  retryIfErrorMessage,
  retryIfErrorName,
  retryIfErrorType,
  retryIfNotErrorName,
  retryIfNotErrorType,
  retryIfNotResult,
  retryIfOutcome,
  retryIfResult,
  retryNever,
} from "../strategies/retry-if.js";
import { retryIfAll, retryIfAny, retryIfNot } from "../strategies/retry-if-any.js";
import { stopAfterAttempt, stopAfterDelay, stopAll, stopAny, stopBeforeDelay, stopNever } from "../strategies/stop.js";
import {
  waitChain,
  waitDecorrelatedJitter,
  waitEqualJitter,
  waitExponential,
  waitFibonacci,
  waitFixed,
  waitFromError,
  waitFromResult,
  waitFullJitter,
  waitIncrementing,
  waitJittered,
  waitMax,
  waitMin,
  waitNone,
  waitRandom,
  waitSum,
} from "../strategies/wait.js";
import { waitResetAfter } from "../strategies/wait-reset-after.js";
import { retryIfTransient } from "../transient/retry-if-transient.js";
import {
  boolean,
  bound,
  code,
  count,
  factor,
  finite,
  type Kind,
  path,
  ratio,
  text,
  time,
  timeout,
  unit,
} from "./kinds.js";
import { lookUp } from "./look-up.js";

type Build = (...args: any[]) => object;

/** How a strategy's arguments are written as data. */
export type Form =
  /** Its name alone, as a string. */
  | { readonly shape: "constant"; readonly build: Build }
  /** One argument as it is, several as an array; `least` of them are needed. */
  | {
      readonly shape: "arguments";
      readonly build: Build;
      readonly args: readonly (readonly [name: string, kind: Kind])[];
      readonly least: number;
    }
  /** Any number of one kind, from 1, as an array; one may stand by itself. */
  | { readonly shape: "list"; readonly build: Build; readonly name: string; readonly kind: Kind }
  /** An object of named values. */
  | {
      readonly shape: "options";
      readonly build: Build;
      readonly options: Readonly<Record<string, Kind>>;
      readonly required: readonly string[];
    };

const constant = (strategy: object): Form => ({ shape: "constant", build: () => strategy });
const args = (build: Build, given: Record<string, Kind>, least = Object.keys(given).length): Form => ({
  shape: "arguments",
  build,
  args: Object.entries(given),
  least,
});
const list = (build: Build, name: string, kind: Kind): Form => ({ shape: "list", build, name, kind });
const options = (build: Build, given: Record<string, Kind>, ...required: string[]): Form => ({
  shape: "options",
  build,
  options: given,
  required,
});

const EXPONENTIAL = { base: time, factor, max: time, min: time };
const WITHOUT_MIN = { base: time, factor, max: time };

type Read = { path: string; unit?: "ms" | "s"; otherwise: never };

/** Every strategy of the core, by its own name. */
export const FORMS: Readonly<Record<"stop" | "wait" | "retryIf", Readonly<Record<string, Form>>>> =
  /* @__PURE__ */ (() => ({
    stop: {
      stopNever: constant(stopNever),
      stopAfterAttempt: args(stopAfterAttempt, { n: count }),
      stopAfterDelay: args(stopAfterDelay, { ms: bound }),
      stopBeforeDelay: args(stopBeforeDelay, { ms: bound }),
      stopAny: list(stopAny, "stop", "stop"),
      stopAll: list(stopAll, "stop", "stop"),
    },
    wait: {
      waitNone: constant(waitNone),
      waitFixed: args(waitFixed, { ms: time }),
      waitRandom: args(waitRandom, { min: time, max: time }),
      waitIncrementing: options(waitIncrementing, { start: time, increment: finite, max: time }, "start", "increment"),
      waitExponential: options(waitExponential, EXPONENTIAL, "base"),
      waitFullJitter: options(waitFullJitter, EXPONENTIAL, "base"),
      waitEqualJitter: options(waitEqualJitter, WITHOUT_MIN, "base"),
      waitDecorrelatedJitter: options(waitDecorrelatedJitter, { base: time, max: time }, "base"),
      waitFibonacci: options(waitFibonacci, { base: time, max: time }, "base"),
      waitJittered: options(
        ({ wait, ...given }) => waitJittered(wait, given),
        { wait: "wait", from: ratio, to: ratio, max: time },
        ...["wait", "from", "to"],
      ),
      waitResetAfter: args(waitResetAfter, { wait: "wait", ms: timeout }),
      waitChain: list(waitChain, "wait", "wait"),
      waitSum: list(waitSum, "wait", "wait"),
      waitMax: list(waitMax, "wait", "wait"),
      waitMin: list(waitMin, "wait", "wait"),
      waitFromError: options(
        (read: Read) => waitFromError(lookUp(read.path, read.unit), read.otherwise),
        { path, unit, otherwise: "wait" },
        ...["path", "otherwise"],
      ),
      waitFromResult: options(
        (read: Read) => waitFromResult(lookUp(read.path, read.unit), read.otherwise),
        { path, unit, otherwise: "wait" },
        ...["path", "otherwise"],
      ),
    },
    retryIf: {
      retryNever: constant(retryNever),
      retryIfError: args(retryIfError, { test: "ref" }, 0),
      retryIfErrorType: args(retryIfErrorType, { type: "refs", test: "ref" }, 1),
      retryIfNotErrorType: args(retryIfNotErrorType, { type: "refs" }),
      retryIfErrorName: list(retryIfErrorName, "name", text),
      retryIfNotErrorName: list(retryIfNotErrorName, "name", text),
      retryIfErrorCode: list(retryIfErrorCode, "code", code),
      retryIfErrorMessage: args(retryIfErrorMessage, { pattern: "pattern" }),
      retryIfTransient: options(retryIfTransient, {
        idempotent: boolean,
        unknown: boolean,
        parentMayFollow: boolean,
        classify: "ref",
      }),
      retryIfErrorCause: args(retryIfErrorCause, { test: "ref" }),
      retryIfResult: args(retryIfResult, { test: "ref" }),
      retryIfNotResult: args(retryIfNotResult, { test: "ref" }),
      retryIfOutcome: args(retryIfOutcome, { test: "ref" }),
      retryIfAny: list(retryIfAny, "predicate", "retryIf"),
      retryIfAll: list(retryIfAll, "predicate", "retryIf"),
      retryIfNot: args(retryIfNot as Build, { predicate: "retryIf" }),
    },
  }))();
