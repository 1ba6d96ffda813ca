import type { AnyFn } from "../common/attempt.js";
import { type Attempt, theAttempt } from "../common/current.js";
import { nextOrdinal, rememberExhausted } from "../common/exhausted.js";
import { sha256 } from "../common/sha256.js";
import { requireSync } from "../common/thenable.js";
import { check, type Rule, STRING } from "../common/validate.js";
import { fingerprintText } from "./fingerprint-text.js";
import type { IdempotencySettings } from "./options.js";

/** One call under a key. */
export interface Call {
  readonly settings: IdempotencySettings;
  readonly fn: AnyFn;
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly key: string;
  /** The key as the store has it. */
  readonly storeKey: string;
  readonly fingerprint: string;
  /** The attempt that the call is part of. */
  readonly attempt: Attempt | undefined;
}

// No server can keep the rest, or tell it apart.
const KEY: Rule = [
  "a string of Unicode characters, not empty and without \\0",
  "string",
  (key) => key !== "" && !key.includes("\0") && !/\p{Surrogate}/u.test(key),
];

/** Throws a `TypeError` for what is no key. */
export function checkKey(owner: string, what: string, key: unknown): void {
  check(owner, what, key, KEY);
}

/** The key as the store has it: no two names have one in common. */
export function storeKeyOf({ name }: IdempotencySettings, key: string): string {
  return name === undefined ? key : `${name}:${key}`;
}

/** The call, with its key and fingerprint as they are now. */
export function callOf(settings: IdempotencySettings, fn: AnyFn, self: unknown, args: readonly unknown[]): Call {
  const { owner } = settings;
  const key = requireSync(`${owner}: key`, settings.key.apply(self, args as unknown[])) as string;
  checkKey(owner, "what key returns", key);
  return {
    ...{ settings, fn, self, args, key },
    storeKey: storeKeyOf(settings, key),
    fingerprint: sha256(textOf(settings, self, args)),
    attempt: theAttempt(),
  };
}

function textOf({ owner, fingerprint }: IdempotencySettings, self: unknown, args: readonly unknown[]): string {
  if (!fingerprint) return fingerprintText(owner, args);
  const text = requireSync(`${owner}: fingerprint`, fingerprint.apply(self, args as unknown[]));
  check(owner, "what fingerprint returns", text, STRING);
  return text as string;
}

/** A call whose function is in its synchronous part, inside of those before it. */
interface Beginning {
  readonly call: Call;
  readonly outer: Beginning | undefined;
}

let beginning: Beginning | undefined;

/** Calls the function. */
export function begin(call: Call): unknown {
  const outer = beginning;
  beginning = { call, outer };
  try {
    return call.fn.apply(call.self, call.args as unknown[]);
  } finally {
    beginning = outer;
  }
}

/** Throws where the call is made in the synchronous part of one with its key. */
export function refuseToWaitForItself({ settings, storeKey, key }: Call): void {
  for (let each = beginning; each; each = each.outer) {
    if (each.call.storeKey !== storeKey || each.call.settings.store !== settings.store) continue;
    const error = new Error(
      `the call with the key ${JSON.stringify(key)} would wait for itself: it is made inside of that call`,
    );
    rememberExhausted(error, nextOrdinal(), true);
    throw error;
  }
}
