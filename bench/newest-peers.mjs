// Loaded before a measurement on a newer Node: there the newest of each peer is measured, where this folder has one.
import { registerHooks } from "node:module";
import manifest from "./package.json" with { type: "json" };

registerHooks({
  resolve(specifier, context, next) {
    const newest = `${specifier}-newest`;
    return next(newest in manifest.dependencies ? newest : specifier, context);
  },
});
