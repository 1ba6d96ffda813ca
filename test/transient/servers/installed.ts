import { execFileSync } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

export type ServerName = "postgres" | "mariadb" | "redis" | "pgbouncer";

const PACKAGES = {
  postgres: { says: "PostgreSQL", installs: "postgresql", programs: ["initdb", "postgres"] },
  mariadb: { says: "MariaDB", installs: "mariadb-server", programs: ["mariadb-install-db", "mariadbd"] },
  redis: { says: "Redis", installs: "redis-server", programs: ["redis-server"] },
  pgbouncer: { says: "pgbouncer", installs: "pgbouncer", programs: ["pgbouncer"] },
} as const;

// Debian puts PostgreSQL's programs into no folder of the PATH, and daemons are often not in that of those who are not
// root.
const FOLDERS = [...postgresFolders(), ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];

/** `undefined`, or a sentence that says what is missing and how it is installed. */
export function whatIsMissing(name: ServerName, folders: readonly string[] = FOLDERS): string | undefined {
  const { says, installs, programs } = PACKAGES[name];
  if (programs.every((program) => find(program, folders))) return undefined;
  return `${says} is not installed; \`apt-get install -y ${installs}\` installs it`;
}

/** The path of a server's program. */
export function programOf(name: ServerName, program: string): string {
  const path = find(program);
  if (!path) throw new Error(whatIsMissing(name) ?? `${PACKAGES[name].says} has no program ${program}`);
  return path;
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The account that a server is run by, where that is not the one of the tests: PostgreSQL refuses to be root's. */
export function accountFor(user: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

function find(program: string, folders: readonly string[] = FOLDERS): string | undefined {
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function postgresFolders(): string[] {
  const root = "/usr/lib/postgresql";
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, "bin"));
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
