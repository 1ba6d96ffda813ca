import { startGraphile } from "./engines/graphile.js";
import { suite } from "./suite.js";

suite("graphile-worker", startGraphile, { late: 1_000 });
