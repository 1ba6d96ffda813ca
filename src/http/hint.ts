import { StrategyError } from "../common/errors.js";
import { show } from "../common/validate.js";
import { serverDelay } from "../hints/server-delay.js";
import { boundedCopy } from "./bodies/copy.js";
import { type HttpResponse, headersOf } from "./request.js";

/** Bytes of a body that a hint is looked for in. */
const MOST_BYTES = 65_536;

/** ms that a response's headers ask to wait. */
export function serverHint(response: HttpResponse): number | undefined {
  return serverDelay(headersOf(response), Date.now(), response.status);
}

type Ask = (response: any) => number | undefined | Promise<number | undefined>;

/** What the user's `hint` says of a response, which it sees a copy of. */
export async function askedHint(ask: Ask, response: HttpResponse): Promise<number | undefined> {
  const { copy, end } = boundedCopy(response, MOST_BYTES);
  try {
    const hint: unknown = await ask(copy);
    if (hint === undefined || (typeof hint === "number" && hint >= 0)) return hint;
    throw new RangeError(`it must return a number of ms from 0, or undefined, got ${show(hint)}`);
  } catch (cause) {
    throw new StrategyError("hint", { ok: true, value: response }, cause);
  } finally {
    end();
  }
}
