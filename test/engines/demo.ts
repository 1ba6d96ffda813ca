import { setTimeout as pause } from "node:timers/promises";
import type { Engine } from "./engines/engine.js";
import type { Call } from "./worker/call.js";
import type { Entry } from "./worker/diary.js";

const CALL: Call = {
  id: "order-42",
  policy: "fixed",
  acts: [{ does: "fails", code: "EBUSY" }, { does: "fails", code: "EBUSY" }, { does: "charges and hangs" }],
};

/** Shows a call whose worker is killed in mid-retry, in a sleep and in an attempt, and how it goes on. */
export async function demo(name: string, start: () => Promise<Engine>, write: (line: string) => void): Promise<void> {
  const engine = await start();
  const begun = Date.now();
  const say = (text: string, at = Date.now()) => write(`${((at - begun) / 1_000).toFixed(1).padStart(6)} s  ${text}`);
  let shown = 0;
  const show = () => {
    for (const entry of engine.diary.read().slice(shown)) {
      shown++;
      say(`process ${entry.pid}: ${inWords(entry)}`, entry.at);
    }
  };
  const until = async (isThere: () => boolean | Promise<boolean>) => {
    for (; !(await isThere()); await pause(20)) show();
    show();
  };
  const wrote = (what: Entry["what"]) => () => engine.diary.read().some((entry) => entry.what === what);
  const killAndStart = async (where: string) => {
    await engine.killWorker();
    say(`kill -9, ${where}; ${name} has what it needs`);
    await engine.startWorker();
    say("another process works for it");
  };

  try {
    write(`${name}: a charge that fails twice and waits 2.5 s each time, by one policy of undaunted`);
    await engine.startWorker();
    await engine.submit(CALL);
    await until(wrote("retry"));
    await until(async () => (await engine.due(CALL.id)) !== undefined);
    await killAndStart("in the sleep before attempt 2");
    await until(wrote("hangs"));
    await killAndStart("in attempt 3, after it has charged");
    await until(async () => (await engine.fate(CALL.id)) === "completed");
    const processes = new Set(engine.diary.read().map(({ pid }) => pid)).size;
    say(`completed by ${processes} processes; charged: ${await engine.charges(CALL.id)} time`);
  } finally {
    await engine.close();
  }
}

function inWords({ what, attempt, delay, code }: Entry): string {
  if (what === "attempt") return `attempt ${attempt}`;
  if (what === "retry") return `  failed with ${code}; attempt ${attempt + 1} is due in ${delay} ms`;
  if (what === "charges") return "  charges, and the transaction holds a record of it";
  if (what === "hangs") return "  does not come back";
  return `  ${what}`;
}
