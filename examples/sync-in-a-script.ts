// How do I retry in a script that knows no promises?
import { execFileSync } from "node:child_process";
import { retryIfErrorCode, retrySync, runWithRetrySync, waitFixed } from "undaunted";

// A program that exits with 75, "try again later" in sysexits.h, until its third run.
const flakyProgram = "process.exit(Number(process.argv[1]) < 3 ? 75 : 0)";

// The whole thread sleeps between attempts: for scripts and start-up code, not for a server.
const attempts = runWithRetrySync(
  ({ attempt }) => {
    execFileSync(process.execPath, ["-e", flakyProgram, String(attempt)]);
    return attempt;
  },
  { wait: waitFixed(10), retryIf: retryIfErrorCode(75) },
);
console.log(`the program ran ${attempts} times`);

let locked = true;

function readCounter(name: string) {
  if (locked) {
    locked = false;
    throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
  }
  return `${name} = 17`;
}

const read = retrySync(readCounter, { wait: waitFixed(10), retryIf: retryIfErrorCode("SQLITE_BUSY") });
console.log(read("visits"));

// prints:
// the program ran 3 times
// visits = 17
