import { type CompileTarget, compilePolicy } from "undaunted/policy";
import { type Io, PolicyFault, UsageFault } from "./io.js";
import { policyData } from "./policy-argument.js";
import { tableOf } from "./table.js";

const TARGETS = ["temporal", "stepFunctions", "grpc"];

/** Writes a policy in an engine's words; what that loses goes to the error output. */
export async function compile(
  argument: string | undefined,
  flags: { to?: string; allow?: string[]; json?: boolean },
  io: Io,
): Promise<number> {
  if (!TARGETS.includes(flags.to ?? ""))
    throw new UsageFault(`--to must be one of ${TARGETS.join(", ")}, got ${flags.to ?? "none"}`);
  const { allow = [] } = flags;
  checkAllowed(allow);
  const data = await policyData(argument, io);
  const { config, lost } = compiled(flags.to as CompileTarget, data, allow);
  if (flags.json) io.out(JSON.stringify({ config, lost }, null, 2));
  else {
    io.out(JSON.stringify(config, null, 2));
    if (lost.length > 0) io.err(`\nlost:\n${tableOf([["where", "wanted", "got", "why"], ...lost.map(cells)])}`);
  }
  return 0;
}

/** Of an empty policy nothing but the names can be wrong. */
function checkAllowed(allow: string[]): void {
  try {
    compilePolicy("temporal", {}, { allow });
  } catch (error) {
    throw new UsageFault((error as Error).message.replace(/^compilePolicy: allow\[\d+\]/, "--allow"));
  }
}

function compiled(...[target, data, allow]: [CompileTarget, Parameters<typeof compilePolicy>[1], string[]]) {
  try {
    return compilePolicy(target, data, { allow });
  } catch (error) {
    throw new PolicyFault((error as Error).message.replace(/^\w+: /, ""));
  }
}

function cells({ path, wanted, got, why }: { path: string; wanted: unknown; got: unknown; why: string }): string[] {
  const word = (value: unknown) =>
    value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
  return [path, word(wanted), word(got), why];
}
