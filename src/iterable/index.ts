export { currentOpening, type Opening } from "./opening.js";
export type { Reopening, RetryIterableOptions, StreamGuard } from "./options.js";
export {
  type Readable,
  type RetriedIterable,
  RetryIterable,
  type RetryIterableDecorator,
  retryIterable,
} from "./retry-iterable.js";
