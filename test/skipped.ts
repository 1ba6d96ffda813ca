import type { Reporter, TestModule, Vitest } from "vitest/node";

/** Says at the end of a run how many tests were skipped, and for want of what: a test's name has it in parentheses. */
export function reportSkipped(print: (line: string) => void = console.log): Reporter {
  let chosen = false;
  return {
    onInit(vitest: Vitest) {
      // Those that `-t` left out are not missed.
      chosen = vitest.config.testNamePattern !== undefined;
    },
    onTestRunEnd(modules: readonly TestModule[]) {
      if (chosen) return;
      const names = modules.flatMap((module) => [...module.children.allTests("skipped")].map((test) => test.fullName));
      for (const line of linesOf(names)) print(line);
    },
  };
}

/** One line for each reason, and for each test that gives none. */
export function linesOf(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const counts = new Map<string, number>();
  for (const name of names) {
    const reason = reasonOf(name) ?? name;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const lines = [...counts].map(([reason, count]) => `  ${count === 1 ? "1 test" : `${count} tests`}: ${reason}`);
  return ["", "Skipped here, and not in CI:", ...lines];
}

function reasonOf(name: string): string | undefined {
  return /\((?:skipped: )?([^()]*`[^`]+`[^()]*)\)/.exec(name)?.[1];
}
