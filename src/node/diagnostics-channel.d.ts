// As much of it as is used: `src` is checked without Node's types, so that nothing else in it needs them.
declare module "node:diagnostics_channel" {
  export function channel(name: string): {
    publish(message: unknown): void;
    runStores(message: unknown, fn: () => void): void;
  };
}
