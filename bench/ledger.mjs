/**
 * What the steps that weigh most added to `import { retry }` and `import { circuitBreaker }`, in bytes of gzip: each commit's
 * own source, bundled and minified by esbuild, less the one before. A step that changes the weight by 25 B or more gets a row.
 */
const STEPS = [
  ["the loop, its options, strategies' checks, errors and hooks", 6_852, 0],
  ["a breaker as a machine, its permits and windows", 0, 7_227],
  ["testRetries, which any policy looks at", 56, 17],
  ["predicates of the error, retryIfOutcome, an abort is not retried", 191, 10],
  ["the breaker's rule for probes, its refusals, aborts and long calls", 10, 283],
  ["calls, first attempts and timeouts as one object: the queue of deadlines, linked calls, late timers", 2_760, 187],
  ["hooks that are made anew for each call warn a few times", 68, 81],
  ["one gate for all that a call waits for; one walk through the errors that were given up on", -554, -13],
  ["slots and permits that serve one call after another; pending calls of 670 bytes; contexts", 126, 182],
  ["an abort in a hook that returns a promise; timeouts beside fake time", 156, 0],
  ["mistakes say what was meant; a strategy may end the call; errors told by a symbol", 1_036, 588],
  ["phases as numbers; a guard alone holds no attempt", -59, -337],
  ["observe(): what each call, retry and guard reports", 234, 113],
  ["an Observable is refused, by guards too", 83, 187],
  ["a timeout behind an abort is found", 66, 79],
  ["NonRetryableError(error), a class as retryIf, a state used as a number", 123, 69],
  ["a failing attemptTimeout ends the call, a call that has ended asks nothing more", 88, 24],
  ["a fleet of processes shares breakers: its three hooks", 0, 258],
  ["guards with a name say what they are: gauges, traces and logs", 41, 154],
  ["one way to take a step, a call is its own link", -155, -7],
  ["a call that nobody observes begins without a word about it", 26, 0],
  ["what V8 puts into its caller; a switch tells an abort's name", 57, 40],
  ["one way to make an attempt, one place for late results", -124, 0],
  ["what only reads the system's clock does without its timers", 8, -92],
];

/** The rows of the ledger, whose sum is what there is now. */
export async function ledger(weigh) {
  const [retry, breaker] = [await weigh("{ retry }"), await weigh("{ circuitBreaker }")];
  const sum = (place) => STEPS.reduce((total, step) => total + step[place], 0);
  return new Map([
    ...STEPS.map(([what, ofRetry, ofBreaker]) => [what, { retry: ofRetry, breaker: ofBreaker }]),
    ["all the rest, each less than 25 B", { retry: retry - sum(1), breaker: breaker - sum(2) }],
    ["now", { retry, breaker }],
  ]);
}
