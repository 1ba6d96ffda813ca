const MOST = 200;
/** OpenTelemetry's word for what has no value of its own. */
const OTHER = "_OTHER";

/** A label with a bound on its values: what comes when there are 200 is `_OTHER`, however many errors a program invents. */
export function boundedLabel(): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= MOST) return OTHER;
    known.add(value);
    return value;
  };
}
