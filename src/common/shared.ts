/** What all copies of this package in a program share under a name, ESM and CJS alike; the first of them brings `initial`. */
export function sharedUnder<T>(name: string, initial: T): T {
  const key = Symbol.for(`undaunted.${name}`);
  const home = globalThis as { [key: symbol]: T };
  home[key] ??= initial;
  return home[key];
}
