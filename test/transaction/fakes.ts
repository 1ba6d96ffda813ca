/** What a scripted server does with a text: its result, or what it throws. Anything that is not scripted succeeds. */
export type Script = Readonly<Record<string, (times: number, values?: unknown[]) => unknown>>;

/** Shapes as drivers have them, of a server that follows a script. */
export function fakePools(script: Script) {
  const log: string[] = [];
  const times = new Map<string, number>();
  const query = async (text: string, values?: unknown[]) => {
    log.push(text);
    times.set(text, (times.get(text) ?? 0) + 1);
    const row = Object.entries(script).find(([part]) => text.includes(part));
    return row ? row[1](times.get(text)!, values) : { rows: [], command: text.toUpperCase() };
  };
  return {
    /** What was sent, and what became of the connections. */
    log,
    pg: {
      connect: async () => ({
        query,
        release: (destroy?: boolean) => void log.push(destroy ? "(destroyed)" : "(released)"),
      }),
    },
    mysql: {
      getConnection: async () => ({
        query,
        release: () => void log.push("(released)"),
        destroy: () => void log.push("(destroyed)"),
      }),
    },
  };
}

export const failing = (fields: object) => () => {
  throw Object.assign(new Error(String(Object.values(fields)[0])), fields);
};

/** A server that can be asked for a transaction's fate. */
export const traceable = { pg_proc: () => ({ rows: [{}] }), xact_id: () => ({ rows: [{ id: "7" }] }) };
