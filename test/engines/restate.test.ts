import { startRestate } from "./engines/restate.js";
import { suite } from "./suite.js";
import { RESTATE } from "./traits.js";

suite(RESTATE, startRestate);
