import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentAttempt, Retry, RetrySync, retryIfErrorCode, waitFixed, waitFullJitter } from "undaunted";
import { fetchUser, type User } from "./client.js";
import type { Watch } from "./print.js";

export function loadWithMethod(url: string, watch: Watch): Promise<User> {
  class UserApi {
    constructor(private readonly url: string) {}

    @Retry({ wait: waitFullJitter({ base: 150 }), retryIf: retryIfErrorCode("ECONNRESET", 503), ...watch })
    async load(): Promise<User> {
      return fetchUser(this.url);
    }
  }

  return new UserApi(url).load();
}

export function lockWithMethod(watch: Watch): User {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-demo-"));
  const lockFile = join(folder, "report.lock");
  const otherProcess = { finishes: () => rmSync(lockFile) };
  writeFileSync(lockFile, "another process");

  class Report {
    @RetrySync({ wait: waitFixed(150), retryIf: retryIfErrorCode("EEXIST"), ...watch })
    lock(): User {
      if (currentAttempt().attempt === 3) otherProcess.finishes();
      // The flag "wx" makes this fail where the file exists.
      writeFileSync(lockFile, "this process", { flag: "wx" });
      return { name: "this process holds the lock" };
    }
  }

  try {
    return new Report().lock();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
