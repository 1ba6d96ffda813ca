// Prints `N passed, N failed` from the results of a test run (vitest's JSON report) and its exit status; fails unless
// all passed. A test that was skipped did not pass.
import { readFileSync } from "node:fs";

const [path, status] = process.argv.slice(2);
const report = read(path);
const passed = report.numPassedTests;
// A file that does not load, or whose setup throws, fails without a failed test.
const brokenFiles = report.testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
);
const skipped = report.testResults.flatMap((file) =>
  file.assertionResults.filter((test) => test.status !== "passed" && test.status !== "failed"),
);
for (const test of skipped) console.log(`skipped: ${test.fullName}`);
let failed = report.numFailedTests + brokenFiles.length + skipped.length;
// Something else than a test failed; or nothing did, as nothing ran.
if (failed === 0 && (status !== "0" || passed === 0)) failed = 1;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // The run ended before its first test.
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  }
}
