// workerd, which a Cloudflare worker runs in: `node workerd.mjs <project> <esm|cjs> <compatibility date> <server> <refused> <run>`.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";

const [project, format, compatibilityDate, server, refused, run] = process.argv.slice(2);
const dist = "node_modules/undaunted/dist";
const suffix = format === "esm" ? ".js" : ".cjs";
const load = (name, entry) =>
  format === "esm"
    ? `import * as ${name} from "./${dist}/${entry}.js";`
    : `import ${name} from "./${dist}/${entry}.cjs";`;

const worker = `
  ${load("core", "index")}
  ${load("http", "http")}
  ${load("idempotency", "idempotency")}
  ${load("serverSide", "server")}
  ${load("testing", "testing")}
  ${load("transient", "transient")}
  import { runChecks } from "./suite/checks.mjs";
  import legacy from "./suite/decorated.legacy.mjs";
  import standard from "./suite/decorated.standard.mjs";

  const entries = { core, http, idempotency, serverSide, testing, transient };
  const decorated = { legacy, standard };
  const send = (...args) => fetch(...args);
  export default {
    async fetch(request) {
      const { server, refused, run } = await request.json();
      return Response.json(await runChecks({ ...entries, decorated, fetch: send, server, refused, run }));
    },
  };
`;

const files = [
  ...readdirSync(join(project, "suite")).map((name) => `suite/${name}`),
  ...readdirSync(join(project, dist)).map((name) => `${dist}/${name}`),
].filter((path) => path.endsWith(suffix) || path.endsWith(".mjs"));
const type = (path) => (path.endsWith(".cjs") ? "CommonJS" : "ESModule");

const miniflare = new Miniflare({
  modulesRoot: project,
  modules: [
    { type: "ESModule", path: join(project, "worker.mjs"), contents: worker },
    ...files.map((path) => ({
      type: type(path),
      path: join(project, path),
      contents: readFileSync(join(project, path), "utf8"),
    })),
  ],
  compatibilityDate,
});
const response = await miniflare.dispatchFetch("http://worker/", {
  method: "POST",
  body: JSON.stringify({ server, refused, run }),
});
console.log(await response.text());
await miniflare.dispose();
