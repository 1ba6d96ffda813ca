import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { PATIENCE } from "../limits.js";

const folder = mkdtempSync(join(tmpdir(), "undaunted-signals-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a program, which may collect garbage, writes. */
async function outputOf(contents: string): Promise<string> {
  const outfile = join(folder, "program.mjs");
  const resolveDir = fileURLToPath(new URL("../../src", import.meta.url));
  await build({ stdin: { contents, resolveDir }, outfile, bundle: true, format: "esm", platform: "node" });
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", outfile], { timeout: PATIENCE });
  return stdout.trim();
}

it("1,000 responses read to the end leave no listener once they are collected", async () => {
  const output = await outputOf(`
    import { getEventListeners } from "node:events";
    import { retryFetch } from "./http/index.js";
    const { signal } = new AbortController();
    const api = retryFetch({ fetch: async () => new Response("text") });
    const listeners = () => getEventListeners(signal, "abort").length;
    let most = 0;
    let read = 0;
    for (let n = 0; n < 1_000; n++) {
      const response = await api("https://example.com/", { signal });
      most = Math.max(most, listeners());
      read += (await response.text()).length;
    }
    for (let n = 0; n < 100 && listeners() > 0; n++) {
      gc();
      // Finalizers run in a task of their own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(JSON.stringify([read, most, listeners()]));`);

  expect(JSON.parse(output)).toEqual([4_000, 1, 0]);
});

it("a response that is kept is aborted after a collection too", async () => {
  const output = await outputOf(`
    import { retryFetch } from "./http/index.js";
    const controller = new AbortController();
    let signalOfRequest;
    const fetch = async (_, init) => {
      signalOfRequest = new WeakRef(init.signal);
      return new Response("text");
    };
    const response = await retryFetch({ fetch })("https://example.com/", { signal: controller.signal });
    for (let n = 0; n < 10; n++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    controller.abort("the user left");
    console.log(JSON.stringify([signalOfRequest.deref()?.reason, await response.text()]));`);

  expect(JSON.parse(output)).toEqual(["the user left", "text"]);
});
