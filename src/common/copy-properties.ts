// What the wrapper has of its own: so it is no constructor, and another wrapper's `with` and `stats` are not its.
const OWN = ["prototype", "caller", "arguments", "with", "stats"];

/** Gives `wrapped` the name, the length and whatever else `fn` carries. */
export function copyProperties(fn: object, wrapped: object): void {
  for (const key of Reflect.ownKeys(fn)) {
    if (!OWN.includes(key as string)) {
      Object.defineProperty(wrapped, key, { ...Object.getOwnPropertyDescriptor(fn, key), configurable: true });
    }
  }
}
