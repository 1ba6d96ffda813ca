// Imported anew for each wait, as loop.mjs is for each contender.
export function delays(wait, states, n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += wait(states[i & (states.length - 1)]);
  return sum;
}
