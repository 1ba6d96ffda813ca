import { startGraphile } from "./engines/graphile.js";
import { suite } from "./suite.js";
import { GRAPHILE } from "./traits.js";

suite(GRAPHILE, startGraphile);
