import { describePolicy, type PolicyData } from "undaunted/policy";
import type { Io } from "./io.js";
import { optionsOf, policyData, withoutRefs } from "./policy-argument.js";

/** Says whether a policy is one, and by which names it refers to what only a program has. */
export async function check(argument: string | undefined, flags: { json?: boolean }, io: Io): Promise<number> {
  const given = await policyData(argument, io);
  const { data } = withoutRefs(given);
  const refs = [...new Set(refsIn(given))];
  const options = optionsOf(data, Object.fromEntries(refs.map((name) => [name, function standIn() {}])));
  if (flags.json) {
    const policy = { ...describePolicy(options), ...leftOutOf(given, data) };
    io.out(JSON.stringify({ ok: true, policy, refs }, null, 2));
    return 0;
  }
  io.out("ok");
  if (refs.length > 0) io.out(`a program must bring: ${refs.join(", ")}`);
  return 0;
}

/** The references that no stand-in is an option for. */
function leftOutOf(given: PolicyData, data: PolicyData): object {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !Object.hasOwn(data, name)));
}

// What is nested deeper is refused when it is read.
const DEEPEST = 100;

function refsIn(data: unknown, depth = 0): string[] {
  if (typeof data !== "object" || data === null || depth > DEEPEST) return [];
  const { ref } = data as { ref?: unknown };
  return typeof ref === "string" ? [ref] : Object.values(data).flatMap((each) => refsIn(each, depth + 1));
}
