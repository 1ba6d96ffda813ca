import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:net";
import type { Readable } from "node:stream";

// Ends the program as soon as the input ends, which it does however this process comes to its end; and ends with the
// program. Descriptor 3 is the program's alone: a listening socket must close when the program does.
const TIE = `
exec 9<&0
"$@" </dev/null &
program=$!
exec 3<&-
(read -r _ <&9; kill "$program") 2>/dev/null &
tie=$!
wait "$program"
kill "$tie" 2>/dev/null
`;

export interface TiedProcess {
  readonly stderr: Readable;
  /** Resolves when it has ended, however it came to that. */
  readonly ended: Promise<void>;
  /** Asks it to end (SIGTERM), and waits until it has. */
  stop(): Promise<void>;
}

export interface TiedOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A listening server whose socket is the program's descriptor 3. */
  readonly server?: Server;
}

/** Starts a program that does not outlive this process, even if that is killed. */
export function tiedProcess(command: string, args: readonly string[], options: TiedOptions = {}): TiedProcess {
  // Node has no public way to a server's descriptor.
  const { fd } = (options.server as { _handle?: { fd: number } } | undefined)?._handle ?? {};
  const child = spawn("sh", ["-c", TIE, "sh", command, ...args], {
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "ignore", "pipe", fd ?? "ignore"],
  });
  const [stdin, , stderr] = child.stdio;
  const ended = once(child, "exit").then(() => {});
  return {
    stderr: stderr!,
    ended,
    stop: () => {
      stdin!.end();
      return ended;
    },
  };
}
