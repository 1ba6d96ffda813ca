/**
 * Who is measured. `specifier` is what a user imports, `imports` what he imports of it in order to retry (for the bytes
 * of a bundle). The shapes that a contender can be measured in are in the file of its name, which only a child process
 * that measures it loads.
 */
export const contenders = [
  { id: "hand-loop", title: "hand loop" },
  { id: "fastest", title: "fastest by hand" },
  { id: "undaunted", title: "undaunted", specifier: "../../dist/index.js", imports: "{ retry }" },
  { id: "p-retry", package: "p-retry", imports: "default" },
  { id: "async-retry", package: "async-retry", imports: "default" },
  { id: "cockatiel", package: "cockatiel", imports: "{ retry, handleAll, ExponentialBackoff }" },
  { id: "exponential-backoff", package: "exponential-backoff", imports: "{ backOff }" },
  { id: "attempt", package: "@lifeomic/attempt", imports: "{ retry }" },
  { id: "effect", package: "effect", imports: "{ Effect, Schedule }" },
  { id: "typescript-retry-decorator", package: "typescript-retry-decorator", imports: "{ Retryable }" },
  { id: "opossum", package: "opossum" },
].map((each) => ({ title: each.package, specifier: each.package, ...each }));

/** A contender's shapes: functions that make the call to measure from the function to retry. */
export async function shapesOf({ id }) {
  return (await import(`./${id}.mjs`)).shapes;
}
