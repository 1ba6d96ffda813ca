import { startRestate } from "./engines/restate.js";
import { suite } from "./suite.js";

suite("Restate", startRestate, { late: 1_500 });
