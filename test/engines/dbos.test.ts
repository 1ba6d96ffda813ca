import { startDbos } from "./engines/dbos.js";
import { suite } from "./suite.js";
import { DBOS } from "./traits.js";

suite(DBOS, startDbos);
