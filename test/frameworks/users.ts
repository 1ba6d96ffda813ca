import { currentAttempt } from "undaunted";

interface Call {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** What the recipes call: it does what the test says. */
export const server = {
  calls: [] as Call[],
  answer: async (call: Call): Promise<unknown> => ({ id: call.id }),
};

export async function loadUser(id: string): Promise<unknown> {
  const { attempt, signal } = currentAttempt();
  const call = { id, attempt, signal };
  server.calls.push(call);
  return server.answer(call);
}
