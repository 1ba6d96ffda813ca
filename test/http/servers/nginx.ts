import { once } from "node:events";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TiedProcess, tiedProcess } from "./tied-process.js";

export const whyNoNginx = "nginx is not installed; `apt-get install -y nginx-light` installs it";

export interface NginxConfig {
  /** Directives of the `http` block. */
  readonly http?: string;
  /** Directives of the one `server` block. */
  readonly server: string;
}

export interface Nginx {
  readonly port: number;
  readonly origin: string;
  /** Where it has its files, until it is stopped. */
  readonly folder: string;
  url(path: string): string;
  /** What it has written to its error log. */
  log(): string;
  stop(): Promise<void>;
}

// Daemons are often not in the PATH of those who are not root.
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
const binary = folders.map((folder) => join(folder, "nginx")).find(isExecutable);

export function nginxAvailable(): boolean {
  return binary !== undefined;
}

/** Starts nginx on a loopback port and a throw-away folder of its own. */
export async function nginx(config: NginxConfig): Promise<Nginx> {
  if (!binary) throw new Error(whyNoNginx);
  // nginx cannot be told to take any free port. It takes over a socket that listens already, as one nginx does from
  // another when its binary is replaced (so it must have a master process): nobody can take the port in between.
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;

  const folder = mkdtempSync(join(tmpdir(), "undaunted-nginx-"));
  const file = join(folder, "nginx.conf");
  const log = join(folder, "error.log");
  writeFileSync(file, configText(config, folder, port));
  const child = tiedProcess(binary, ["-e", log, "-c", file], { server: socket, env: { NGINX: "3;" } });
  const stop = async (): Promise<void> => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  socket.close();
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const origin = `http://127.0.0.1:${port}`;
  return { port, origin, folder, url: (path) => origin + path, log: () => readFileSync(log, "utf8"), stop };
}

/**
 * Resolves once nginx has begun its worker process. Before that its master may miss a signal: it has handlers already,
 * but does not yet hold signals back until it waits for them.
 */
function ready({ stderr, ended }: TiedProcess): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    stderr.on("data", (text) => {
      said += text;
      if (said.includes("start worker process ")) resolve();
    });
    stderr.once("end", () => ended.then(() => reject(new Error(`nginx has ended: ${said.trim()}`))));
  });
}

function configText({ http = "", server }: NginxConfig, folder: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
    ${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off;
    pid ${folder}/nginx.pid;
    error_log ${folder}/error.log info;
    error_log stderr notice;
    events {}
    http {
      access_log off;
      ${temporary.map((each) => `${each}_temp_path ${folder}/${each};`).join("\n      ")}
      ${http}
      server {
        listen 127.0.0.1:${port};
        ${server}
      }
    }
  `;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
