import { startPgBoss } from "./engines/pg-boss.js";
import { suite } from "./suite.js";

suite("pg-boss", startPgBoss, { late: 1_500 });
