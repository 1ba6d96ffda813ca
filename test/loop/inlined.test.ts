import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { PATIENCE } from "../limits.js";

// V8's `--max-inlined-bytecode-size`: a longer function is called, and what it makes of its arguments is an array on the heap.
const MOST = 460;

/** Bytes of V8's code of the functions of that name in the built package, of which `program` calls one. */
async function lengthsOf(name: string, program: string): Promise<number[]> {
  const index = new URL("../../dist/index.js", import.meta.url);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      "--print-bytecode",
      `--print-bytecode-filter=${name}`,
      "--input-type=module",
      "--eval",
      `import { retry, retrySync } from ${JSON.stringify(index.href)};\n${program}`,
    ],
    { cwd: fileURLToPath(new URL(".", import.meta.url)), maxBuffer: 2 ** 26 },
  );
  return [...stdout.matchAll(/^Bytecode length: (\d+)/gm)].map((match) => Number(match[1]));
}

it.each([
  ["retry", "retried", "await retry(async () => 1)();"],
  ["retry", "start", "await retry(async () => 1)();"],
  ["retry", "begin", "await retry(async () => 1)();"],
  ["retrySync", "retried", "retrySync(() => 1)();"],
])(
  "a call of %s that succeeds at once goes through a %s short enough to become a part of its caller",
  async (_, name, program) => {
    const lengths = await lengthsOf(name, program);
    expect(lengths).not.toEqual([]);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MOST);
  },
  PATIENCE,
);
