import type { RetryOptions } from "undaunted";
import { type PolicyData, policyFrom } from "undaunted/policy";
import { type Io, PolicyFault, UsageFault } from "./io.js";

/** The data of the argument: JSON, a file's path, or `-` for standard input. */
export async function policyData(argument: string | undefined, io: Io): Promise<PolicyData> {
  if (argument === undefined) throw new UsageFault("which policy? Give a file, '-', or its JSON in quotes");
  const isInline = /^\s*[{[]/.test(argument);
  const text = isInline ? argument : await textOf(argument, io);
  try {
    // Windows' editors begin a file with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new PolicyFault(`${isInline ? "the policy" : argument} is no JSON: ${(error as Error).message}`);
  }
}

async function textOf(path: string, io: Io): Promise<string> {
  try {
    return await io.read(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new PolicyFault(code === "ENOENT" ? `there is no file ${path}` : `${path} cannot be read: ${message}`);
  }
}

/** The options that data says, with what it names and nobody gave standing out. */
export function optionsOf(data: PolicyData, refs: Record<string, unknown>): RetryOptions {
  try {
    return policyFrom(data, refs);
  } catch (error) {
    throw new PolicyFault((error as Error).message.replace(/^policyFrom: /, ""));
  }
}

/** The data without options that are references to what only a program has, and their names. */
export function withoutRefs(data: PolicyData, but: readonly string[] = []): { data: PolicyData; leftOut: string[] } {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return { data, leftOut: [] };
  const isLeftOut = ([name, value]: [string, unknown]) =>
    !["stop", "wait", "retryIf"].includes(name) &&
    typeof (value as { ref?: unknown } | null)?.ref === "string" &&
    !but.includes((value as { ref: string }).ref);
  const entries = Object.entries(data);
  const leftOut = entries.filter(isLeftOut);
  // Read all the same: what is no option is not left out silently.
  optionsOf(Object.fromEntries(leftOut), Object.fromEntries(leftOut.map(([, { ref }]) => [ref, undefined])));
  return {
    data: Object.fromEntries(entries.filter((entry) => !isLeftOut(entry))),
    leftOut: leftOut.map(([name]) => name),
  };
}
