import { emitWarning } from "../common/call-hook.js";
import { describe, readField } from "../common/inspect.js";

/** What was wrong with a source: its data, or the reading. */
export type Fault = "no JSON" | "no policy" | "unread";

/** Says what was wrong with a source, and warns of it unless the last warning said the same. */
export function faultsOf(source: object) {
  const given = readField(source, "name");
  const name = typeof given === "string" && given !== "" ? given : undefined;
  let last: string | undefined;
  return {
    say(fault: Fault, error: unknown): string {
      if (fault === "unread") return `${name ?? "its source"} could not be read: ${textOf(error)}`;
      return `${name ?? "what its source has"} is ${fault}: ${textOf(error)}`;
    },
    warn(what: string, consequence: string): void {
      if (what !== last) emitWarning(`undaunted: livePolicy: ${what}; ${consequence}`);
      last = what;
    },
    /** After a good edit, a bad one is news whatever it is. */
    forget(): void {
      last = undefined;
    },
  };
}

// Longer than any message about data that is readable, and short enough for a log.
const LONGEST = 1_000;

function textOf(error: unknown): string {
  const message = readField(error, "message");
  if (typeof message !== "string" || message === "") return describe(error);
  const text = message.replace(/^policyFrom: /, "");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
