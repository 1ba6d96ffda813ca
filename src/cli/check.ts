import { describePolicy } from "undaunted/policy";
import type { Io } from "./io.js";
import { optionsOf, policyData, withoutRefs } from "./policy-argument.js";

/** Says whether a policy is one. References are looked at by name only. */
export async function check(argument: string | undefined, flags: { json?: boolean }, io: Io): Promise<number> {
  const { data, leftOut } = withoutRefs(await policyData(argument, io));
  const refs = Object.fromEntries(refsIn(data).map((name) => [name, function standIn() {}]));
  const policy = describePolicy(optionsOf(data, refs));
  const names = [...new Set([...Object.keys(refs)])];
  if (flags.json) {
    io.out(JSON.stringify({ ok: true, policy, refs: names, leftOut }, null, 2));
    return 0;
  }
  io.out("ok");
  if (names.length + leftOut.length > 0) io.out(`a program must bring: ${[...names, ...leftOut].join(", ")}`);
  return 0;
}

// What is nested deeper is refused when it is read.
const DEEPEST = 100;

function refsIn(data: unknown, depth = 0): string[] {
  if (typeof data !== "object" || data === null || depth > DEEPEST) return [];
  const { ref } = data as { ref?: unknown };
  return typeof ref === "string" ? [ref] : Object.values(data).flatMap((each) => refsIn(each, depth + 1));
}
