export {
  type GraphileHelpers,
  type GraphileOptions,
  type GraphileTaskOptions,
  retryGraphile,
} from "./retry-graphile.js";
