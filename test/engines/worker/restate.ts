import * as restate from "@restatedev/restate-sdk";
import { type DurableEngine, retryDurably, toPlainError } from "undaunted/durable";
import type { Call, Calls } from "./call.js";

// The recipe of docs/durable.md.
const engineOf = (ctx: restate.Context): DurableEngine => ({
  step: (name, fn) => ctx.run(name, fn),
  sleep: (ms) => ctx.sleep(ms),
});

/** Restate calls a handler again that fails otherwise, for ever; the policy has decided. */
function terminal(error: unknown): never {
  if (error instanceof restate.TerminalError) throw error;
  const plain = toPlainError(error);
  throw new restate.TerminalError(plain.message, { metadata: { error: JSON.stringify(plain) } });
}

export async function work(calls: Calls, { port }: { port: number }): Promise<void> {
  const service = restate.service({
    name: "calls",
    handlers: {
      call: (ctx: restate.Context, call: Call) =>
        retryDurably(engineOf(ctx), (context) => calls.attempt(call, context), calls.policyOf(call)).catch(terminal),
    },
  });
  await restate.serve({ services: [service], port });
}
