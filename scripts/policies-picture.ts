import {
  type PreviewRow,
  previewPolicy,
  stopAfterAttempt,
  type Wait,
  waitDecorrelatedJitter,
  waitExponential,
  waitFullJitter,
} from "undaunted";

export const THEMES = {
  light: { text: "#1f2328", faint: "#59636e", line: "#d1d9e0", bar: "#54aeff", edge: "#0969da" },
  dark: { text: "#e6edf3", faint: "#9198a1", line: "#3d444d", bar: "#1f6feb", edge: "#79c0ff" },
} as const;

export type Theme = keyof typeof THEMES;

const ATTEMPTS = 7;
const times = { base: 100, max: 2_000 };

const panels: readonly (readonly [name: string, says: string, wait: Wait])[] = [
  ["waitFullJitter", "anywhere from 0 to this: start here", waitFullJitter(times)],
  ["waitExponential", "not random: clients return together", waitExponential(times)],
  ["waitDecorrelatedJitter", "from 100 to three times the last", waitDecorrelatedJitter(times)],
];

const WIDTH = 880;
const HEIGHT = 300;
const PANEL = 264;
const GAP = 24;
const LEFT = 40;
const TOP = 84;
const FLOOR = 236;
const BAR = 22;

const yOf = (ms: number) => FLOOR - (ms / times.max) * (FLOOR - TOP);
const xOf = (attempt: number) => ((attempt - 0.5) * PANEL) / (ATTEMPTS - 1);

/** The picture as an SVG: for each wait the span in which the delay after each attempt lies. */
export function pictureOf(theme: Theme): string {
  const { text, faint, line, bar, edge } = THEMES[theme];
  const drawn = panels.map(([name, says, wait], index) => {
    const rows = previewPolicy({ stop: stopAfterAttempt(ATTEMPTS), wait });
    const marks = rows.slice(0, -1).map(markOf);
    const x = LEFT + index * (PANEL + GAP);
    return `  <g transform="translate(${x} 0)">
    <text class="name" y="30">${name}</text>
    <text class="faint" y="50">${says}</text>
    <path class="line" d="M0 ${yOf(0)}H${PANEL}M0 ${yOf(1_000)}H${PANEL}M0 ${yOf(2_000)}H${PANEL}"/>
${marks.join("\n")}
    <text class="faint" y="282">${totalOf(rows.at(-1)!)}</text>
  </g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title desc">
  <title id="title">How long three waits wait after each of six failed attempts</title>
  <desc id="desc">${descriptionOf()}</desc>
  <style>
    text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: ${text}; }
    .name { font: 600 14px ui-monospace, monospace; }
    .faint, .axis { fill: ${faint}; }
    .axis, .value { font-size: 11px; text-anchor: middle; }
    .scale { font-size: 11px; text-anchor: end; fill: ${faint}; }
    .line { stroke: ${line}; fill: none; }
    .span { fill: ${bar}; fill-opacity: 0.45; stroke: ${edge}; }
    .point { stroke: ${edge}; stroke-width: 4; stroke-linecap: round; }
  </style>
  <text class="scale" x="${LEFT - 8}" y="${yOf(2_000) + 4}">2 s</text>
  <text class="scale" x="${LEFT - 8}" y="${yOf(1_000) + 4}">1 s</text>
  <text class="scale" x="${LEFT - 8}" y="${yOf(0) + 4}">0</text>
  <text class="scale" x="${LEFT + 8}" y="${FLOOR + 18}">after</text>
${drawn.join("\n")}
</svg>
`;
}

/** A span where luck decides, else a point; above it the longest delay. */
function markOf({ attempt, minDelay, maxDelay }: PreviewRow): string {
  const x = xOf(attempt);
  const [left, right, top] = [x - BAR / 2, x + BAR / 2, yOf(maxDelay)].map(short);
  const shape =
    minDelay === maxDelay
      ? `<path class="point" d="M${left} ${top}H${right}"/>`
      : `<rect class="span" x="${left}" y="${top}" width="${BAR}" height="${short(yOf(minDelay) - yOf(maxDelay))}"/>`;
  return `    ${shape}
    <text class="value" x="${short(x)}" y="${short(yOf(maxDelay) - 7)}">${maxDelay.toLocaleString("en-US")}</text>
    <text class="axis" x="${short(x)}" y="${FLOOR + 18}">${attempt}</text>`;
}

function totalOf({ attempt, minElapsed, maxElapsed }: PreviewRow): string {
  const [least, most] = [minElapsed, maxElapsed].map((ms) => String(Number((ms / 1_000).toFixed(1))));
  return `${attempt} attempts: ${least === most ? most : `${least} to ${most}`} s of waiting`;
}

function descriptionOf(): string {
  const { base, max } = times;
  return `With a base of ${base} ms and at most ${max.toLocaleString("en-US")} ms: the span of the delay after attempt 1 to ${ATTEMPTS - 1}, as previewPolicy shows it.`;
}

function short(pixels: number): string {
  return String(Math.round(pixels * 10) / 10);
}
