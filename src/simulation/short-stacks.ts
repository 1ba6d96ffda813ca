// How many run at a time, and what the limit was before the first of them.
let running = 0;
let usual: unknown;

const limit = (depth: unknown) => Reflect.set(Error, "stackTraceLimit", depth);

/**
 * Runs something that makes errors by the million, most of which nobody looks at: meanwhile a stack is one line, where its error was
 * made. Without effect where an engine has no such limit.
 */
export async function withShortStacks(run: () => Promise<void>): Promise<void> {
  if (!("stackTraceLimit" in Error)) return run();
  if (running++ === 0) {
    usual = Error.stackTraceLimit;
    limit(1);
  }
  try {
    await run();
  } finally {
    if (--running === 0) limit(usual);
  }
}
