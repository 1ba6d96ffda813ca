import { applyDecorators } from "@nestjs/common";
import { bulkhead, circuitBreaker, Retry, type RetryOptions } from "undaunted";

const slots = bulkhead({ limit: 20 });
const breaker = circuitBreaker();

/** From the inside out: applyDecorators applies its first one first. */
export const Resilient = (options: RetryOptions = {}) => applyDecorators(breaker.wrap, slots.wrap, Retry(options));
