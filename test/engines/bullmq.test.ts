import { startBullmq } from "./engines/bullmq.js";
import { suite } from "./suite.js";

suite("BullMQ", startBullmq, { late: 1_000 });
