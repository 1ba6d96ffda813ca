export { type BullmqJob, type BullmqOptions, type BullmqRetry, retryBullmq } from "./retry-bullmq.js";
