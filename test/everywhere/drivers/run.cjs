// Node, Bun and Deno: the CommonJS build.
const entries = {
  core: require("undaunted"),
  http: require("undaunted/http"),
  idempotency: require("undaunted/idempotency"),
  serverSide: require("undaunted/server"),
  testing: require("undaunted/testing"),
  transient: require("undaunted/transient"),
};

async function main() {
  const { runChecks } = await import("./suite/checks.mjs");
  const { default: legacy } = await import("./suite/decorated.legacy.mjs");
  const { default: standard } = await import("./suite/decorated.standard.mjs");
  const [server, refused, run] = process.argv.slice(2);
  const found = await runChecks({ ...entries, decorated: { legacy, standard }, fetch, server, refused, run });
  console.log(JSON.stringify(found));
}

main();
