export { type ChaosOptions, chaos } from "./chaos.js";
export { type Flaky, flaky } from "./flaky.js";
export { instant } from "./instant.js";
export { retryState } from "./retry-state.js";
export { seededRandom } from "./seeded-random.js";
export { type TestRetries, type TestRetriesOptions, testRetries } from "./test-retries.js";
export { type VirtualClock, virtualClock } from "./virtual-clock.js";
