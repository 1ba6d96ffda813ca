// npm run schema: writes policy.schema.json from the tables that policyFrom reads by; a test holds that it was run.
import { writeFileSync } from "node:fs";
import { policySchema } from "../src/policy/schema.ts";

writeFileSync(new URL("../policy.schema.json", import.meta.url), `${JSON.stringify(policySchema(), null, 2)}\n`);
