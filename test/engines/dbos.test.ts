import { startDbos } from "./engines/dbos.js";
import { suite } from "./suite.js";

suite("DBOS", startDbos, { late: 1_500 });
