import { startPgBoss } from "./engines/pg-boss.js";
import { suite } from "./suite.js";
import { PG_BOSS } from "./traits.js";

suite(PG_BOSS, startPgBoss);
