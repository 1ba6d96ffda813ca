import { startBullmq } from "./engines/bullmq.js";
import { suite } from "./suite.js";
import { BULLMQ } from "./traits.js";

suite(BULLMQ, startBullmq);
