import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { tiedProcess } from "./tied-process.js";

/** What tells that a program lives: the connection that it holds. */
async function listening() {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const program = `require("node:net").connect(${port}, "127.0.0.1").on("error", () => {})`;
  const connected = once(server, "connection") as Promise<[Socket]>;
  return { program, connected };
}

it("a tied process ends when it is stopped", async () => {
  const { program, connected } = await listening();
  const child = tiedProcess(process.execPath, ["-e", program]);
  const [socket] = await connected;
  const gone = once(socket.resume(), "close");

  await child.stop();

  await gone;
});

it("a tied process has ended when its program has, with nobody stopping it", async () => {
  const child = tiedProcess("sh", ["-c", "echo a complaint >&2"]);

  const said = await text(child.stderr);
  await child.ended;

  expect(said).toBe("a complaint\n");
});

it("a tied process that has ended can be stopped", async () => {
  const child = tiedProcess("true", []);
  await child.ended;

  await expect(child.stop()).resolves.toBeUndefined();
});

it("a tied process does not outlive the one that started it, even if that is killed", async () => {
  const { program, connected } = await listening();
  const module = new URL("./tied-process.ts", import.meta.url);
  const code = `import { tiedProcess } from "${module}"; tiedProcess(process.execPath, ["-e", ${JSON.stringify(program)}]);`;
  const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], { stdio: "inherit" });
  const [socket] = await connected;
  const gone = once(socket.resume(), "close");

  parent.kill("SIGKILL");

  await gone;
});
