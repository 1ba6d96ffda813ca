// Node, Bun and Deno: the ESM build.
import * as core from "undaunted";
import * as http from "undaunted/http";
import * as idempotency from "undaunted/idempotency";
import * as serverSide from "undaunted/server";
import * as testing from "undaunted/testing";
import * as transient from "undaunted/transient";
import { runChecks } from "./suite/checks.mjs";
import legacy from "./suite/decorated.legacy.mjs";
import standard from "./suite/decorated.standard.mjs";

const [server, refused, run] = process.argv.slice(2);
const decorated = { legacy, standard };
const entries = { core, http, idempotency, serverSide, testing, transient };
const found = await runChecks({ ...entries, decorated, fetch, server, refused, run });
console.log(JSON.stringify(found));
