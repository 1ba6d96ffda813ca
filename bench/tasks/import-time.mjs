import { cpuSince } from "../measure.mjs";

export const importTime = [
  {
    name: "import",
    title: "import, first in its process",
    rounds: 11,
    perProcess: 1,
    without: ["fastest"],
    columns: [
      { key: "ms", title: "ms", digits: 1 },
      { key: "cpu", title: "CPU ms", digits: 1 },
    ],
    targets: [],
    prepare(contender) {
      // The hand loop's file imports nothing: it shows what any module costs.
      const specifier = contender.specifier ?? `../contenders/${contender.id}.mjs`;
      return async () => {
        const began = performance.now();
        const start = process.cpuUsage();
        await import(specifier);
        return { ms: performance.now() - began, cpu: cpuSince(start) };
      };
    },
  },
];
