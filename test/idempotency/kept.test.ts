import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { retry, stopAfterAttempt, waitNone } from "undaunted";
import { idempotent } from "undaunted/idempotency";
import { expect, it } from "vitest";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function bytesInUse(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise(setImmediate);
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

it.each([
  ["read", (error: Error) => void error.stack],
  ["not read", () => {}],
])(
  "a long call of retry(idempotent(fn)) keeps nothing of its attempts, where their errors' stacks are %s",
  async (_how, look) => {
    const [from, to] = [2_000, 12_000];
    let calls = 0;
    const bytes: number[] = [];
    const once = idempotent(
      async () => {
        calls++;
        if (calls === from || calls === to) bytes.push(await bytesInUse());
        const error = new Error(`failure ${calls}`);
        look(error);
        throw error;
      },
      { key: () => "k1" },
    );

    await retry(once, { stop: stopAfterAttempt(to), wait: waitNone })().catch(() => {});

    // It was 1,000 to 1,600 bytes an attempt while a frame of each error held its call.
    expect((bytes[1]! - bytes[0]!) / (to - from)).toBeLessThan(100);
  },
);
