import { parseArgs } from "node:util";
import { check } from "./check.js";
import { compile } from "./compile.js";
import { type Io, PolicyFault, UsageFault } from "./io.js";
import { preview } from "./preview.js";
import { simulate } from "./simulate.js";

export const HELP = `undaunted <command> <policy> [options]

A policy is JSON in quotes, a file, or - for standard input:
  undaunted preview '{ "stop": { "stopAfterAttempt": 5 }, "wait": { "waitFullJitter": { "base": 100 } } }'

Commands
  preview   what it will do, a row per attempt      --attempts N (20)
  check     whether it is one, and what is wrong
  compile   the same in an engine's words           --to temporal | stepFunctions | grpc, --allow retryIf
  simulate  a fleet in an outage under it           --clients N (20), --rate N a second (10), --capacity N (1.2),
                                                    --outage blackhole | refused | slow | failing | none,
                                                    --lasts SECONDS (30), --seed N (1)

  --json    for machines
  --help, --version

Exit codes: 0 all is well, 1 the policy is wrong, 2 the command is.`;

const FLAG = { type: "boolean" } as const;
const VALUE = { type: "string" } as const;
const COMMON = { json: FLAG, help: { ...FLAG, short: "h" } } as const;

const COMMANDS = {
  preview: { run: preview, options: { ...COMMON, attempts: VALUE } },
  check: { run: check, options: COMMON },
  compile: { run: compile, options: { ...COMMON, to: VALUE, allow: { ...VALUE, multiple: true } } },
  simulate: {
    run: simulate,
    options: { ...COMMON, clients: VALUE, rate: VALUE, outage: VALUE, lasts: VALUE, capacity: VALUE, seed: VALUE },
  },
} as const;

/** Runs a command; returns the exit code. */
export async function main(argv: readonly string[], version: string, io: Io): Promise<number> {
  try {
    return await run(argv, version, io);
  } catch (error) {
    if (error instanceof PolicyFault) {
      io.err(error.message);
      return 1;
    }
    if (error instanceof UsageFault) {
      io.err(`${error.message}\nundaunted --help says how`);
      return 2;
    }
    io.err(`undaunted: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function run([name = "--help", ...rest]: readonly string[], version: string, io: Io): Promise<number> {
  if (name === "--version") io.out(version);
  else if (name === "--help" || name === "-h" || name === "help") io.out(HELP);
  else {
    if (!Object.hasOwn(COMMANDS, name)) {
      throw new UsageFault(`there is no command ${name}; there are ${Object.keys(COMMANDS).join(", ")}`);
    }
    const command = COMMANDS[name as keyof typeof COMMANDS];
    const { values, positionals } = parsed(rest, command.options);
    if (positionals.length > 1)
      throw new UsageFault(`one policy at a time, got ${positionals.length}: is its JSON in quotes?`);
    if (!values.help) return command.run(positionals[0], values as never, io);
    io.out(HELP);
  }
  return 0;
}

function parsed(args: string[], options: object) {
  try {
    return parseArgs({ args, options: options as typeof COMMON, allowPositionals: true }) as {
      values: { help?: boolean };
      positionals: string[];
    };
  } catch (error) {
    throw new UsageFault((error as Error).message);
  }
}
