// A bulkhead at the top of a worker's module, shared by the contexts of many requests:
// `node contexts.mjs <project> <compatibility date>` prints what became of each story.
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { Miniflare } from "miniflare";

const [project, compatibilityDate] = process.argv.slice(2);
const dist = "node_modules/undaunted/dist";

/** Holds what it is asked under /held until it is let go of. */
const held = [];
const server = createServer((request, response) => {
  if (request.url !== "/held") return response.end("ok");
  held.push(response);
  server.emit("held");
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

const inner = `
  import { bulkhead } from "./${dist}/index.js";

  const slots = {
    plain: bulkhead({ limit: 1, queue: 10 }),
    bounded: bulkhead({ limit: 1, queue: 10, maxWait: 1_000 }),
  };
  export default {
    async fetch(request, env, ctx) {
      const [, kind, path, kept] = new URL(request.url).pathname.split("/");
      if (path === "slots") return Response.json([slots[kind].inFlight, slots[kind].queued]);
      const call = slots[kind].run(async () => (await fetch("${url}/" + path)).text());
      if (kept) ctx.waitUntil(call.catch(() => {}));
      return new Response(await call.catch((error) => error.name));
    },
  };
`;
/** Calls the other worker, and cancels its request on /cancel. */
const outer = `
  let controller;
  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      if (!pathname.endsWith("/leave")) return env.INNER.fetch(request.url);
      const leaving = new AbortController();
      const answer = env.INNER.fetch(request.url.replace("/leave", ""), { signal: leaving.signal });
      await fetch("${url}/");
      setTimeout(() => leaving.abort(), 100);
      return new Response(await answer.then((response) => response.text(), (error) => "left"));
    },
  };
`;

async function story(tell) {
  const files = readdirSync(join(project, dist)).filter((name) => name.endsWith(".js"));
  const modules = files.map((name) => ({
    type: "ESModule",
    path: join(project, dist, name),
    contents: readFileSync(join(project, dist, name), "utf8"),
  }));
  const worker = (name, contents, more) => ({
    name,
    modulesRoot: project,
    compatibilityDate,
    modules: [{ type: "ESModule", path: join(project, `${name}.mjs`), contents }, ...more],
  });
  const miniflare = new Miniflare({
    workers: [{ ...worker("outer", outer, []), serviceBindings: { INNER: "inner" } }, worker("inner", inner, modules)],
  });
  const ask = async (path) => {
    const response = await miniflare.dispatchFetch(`http://worker/${path}`);
    if (response.status !== 200) return "cancelled by the runtime";
    return path.endsWith("/slots") ? response.json() : response.text();
  };
  const found = await tell(ask);
  for (const response of held.splice(0)) response.end("let go");
  await miniflare.dispose();
  return found;
}

/** Two requests, of which one waits for the other's slot. */
const queue = (kind) => async (ask) => {
  const first = ask(`${kind}/held`);
  await once(server, "held");
  const second = ask(`${kind}/fine`);
  while ((await ask(`${kind}/slots`))[1] !== 1);
  held.shift().end("let go");
  const ends = [await first, await second];
  return [...ends, await ask(`${kind}/slots`)];
};

/** A request whose caller leaves while it has the slot. */
const leave = (kept) => async (ask) => {
  const first = ask(`plain/held${kept}/leave`);
  await once(server, "held");
  const end = await first;
  held.shift().end("let go");
  for (let asked = 0; asked < 20 && (await ask("plain/slots"))[0] > 0; asked++);
  return [end, await ask("plain/slots")];
};

console.log(
  JSON.stringify({
    queued: await story(queue("plain")),
    queuedWithMaxWait: await story(queue("bounded")),
    left: await story(leave("")),
    leftWithWaitUntil: await story(leave("/kept")),
  }),
);
server.closeAllConnections();
server.close();
