/** What opens a gate, or closes it. */
export type Settle = (value: unknown) => void;
let openGate: Settle | undefined;
/** What closes the gate that was just made. */
export let closeGate: Settle | undefined;
/** Makes a gate: `new Promise(gate)`. One function for all of them: a call should weigh little. */
export const gate = (resolve: Settle, reject: Settle) => {
  openGate = resolve;
  closeGate = reject;
};

/** What opens the gate that was just made. Nothing here keeps it, since it keeps what it let through. */
export function key(): Settle {
  const open = openGate!;
  openGate = undefined;
  closeGate = undefined;
  return open;
}
