// A hang must be found, slowness must not fail: on a machine eight times slower each of these still holds. A test that
// needs a limit of its own takes it from here.

/** ms for a test. */
export const TEST_TIMEOUT = 120_000;
/** ms for what is set up and taken down around tests, such as servers. */
export const HOOK_TIMEOUT = 240_000;
/** ms for a process that a test starts, and for what it waits for: below a test's, so that the error says which. */
export const PATIENCE = 100_000;
