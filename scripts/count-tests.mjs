// Prints `N passed, N failed` from the results of test runs (vitest's JSON report) and their exit statuses, in pairs; fails
// unless all passed. A test that was skipped did not pass.
import { readFileSync } from "node:fs";

let passed = 0;
let failed = 0;
const given = process.argv.slice(2);
for (let at = 0; at < given.length; at += 2) count(given[at], given[at + 1]);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function count(path, status) {
  const report = read(path);
  // A file that does not load, or whose setup throws, fails without a failed test.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const skipped = report.testResults.flatMap((file) =>
    file.assertionResults.filter((test) => test.status !== "passed" && test.status !== "failed"),
  );
  for (const test of skipped) console.log(`skipped: ${test.fullName}`);
  const faults = report.numFailedTests + brokenFiles.length + skipped.length;
  // Something else than a test failed; or nothing did, as nothing ran.
  const failedOtherwise = faults === 0 && (status !== "0" || report.numPassedTests === 0);
  passed += report.numPassedTests;
  failed += failedOtherwise ? 1 : faults;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // The run ended before its first test.
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  }
}
