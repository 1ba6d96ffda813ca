import type { Hooks, Wait } from "undaunted";

/** Hooks that show what happens; with `--fast`, also a `wait` that takes no time. Spread last into the options. */
export interface Watch extends Hooks {
  wait?: Wait;
}

/** A line of the summary. */
export interface Row {
  readonly title: string;
  attempts: number;
  /** ms. */
  slept: number;
  result: string;
}

const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code: number) => (text: string) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, red, green] = [paint(1), paint(2), paint(31), paint(32)];

/** Columns for what went wrong in an attempt. */
const WIDTH = 56;

const write = (text: string) => void process.stdout.write(text);
const inWords = (ms: number) => `${Math.round(ms)} ms`;

export function printTitle(origin: string): void {
  write(`A server at ${origin} fails as real ones do, and is called all the same.\n`);
}

export function printHeading(number: number, title: string, shows: string): void {
  write(`\n${bold(`${number}. ${title}`)}\n   ${dim(shows)}\n`);
}

export function printResult({ result }: Row): void {
  write(`   ${bold(result)}\n`);
}

let notes: string[] = [];

/** Has a line to show once the attempt's own is complete. */
export function note(text: string): void {
  notes.push(text);
}

function endLine(text: string): void {
  write(`${text}\n`);
  for (const each of notes) write(`              ${dim(each)}\n`);
  notes = [];
}

/** Shows each attempt as it happens, and counts it in `row`. */
export function watching(row: Row): Hooks {
  let asleepSince: number | undefined;
  const wakeUp = () => {
    if (asleepSince !== undefined) row.slept += performance.now() - asleepSince;
    asleepSince = undefined;
  };
  const failed = (error: unknown) => red(shorten(describe(error)).padEnd(WIDTH));

  return {
    onAttempt({ attempt }) {
      wakeUp();
      row.attempts = attempt;
      write(`   attempt ${attempt}  `);
    },
    onRetry({ outcome, delay }) {
      endLine(`${failed(outcome.ok ? outcome.value : outcome.error)}  next in ${inWords(delay)}`);
      asleepSince = performance.now();
    },
    onSuccess() {
      endLine(green("ok"));
    },
    onGiveUp({ reason, error }) {
      if (asleepSince !== undefined) write("   asleep     ");
      wakeUp();
      endLine(`${failed(error)}  gives up: ${reason}`);
    },
  };
}

export function printSummary(rows: readonly Row[]): void {
  write(`\n${bold("   Scenario               Attempts     Slept   Result")}\n`);
  for (const { title, attempts, slept, result } of rows) {
    const cells = [title.padEnd(22), String(attempts).padStart(8), inWords(slept).padStart(9), ` ${result}`];
    write(`   ${cells.join(" ")}\n`);
  }
  write(`\n   ${dim("Each scenario is a few lines of demo/scenarios.ts.")}\n`);
}

/** An error in one line, with the code that fetch hides in its cause. */
export function describe(error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as { code?: string };
  return code ? `${error} (${code})` : String(error);
}

function shorten(text: string): string {
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 3)}...` : text;
}
