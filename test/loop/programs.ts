import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll } from "vitest";
import { PATIENCE } from "../limits.js";

/** Runs programs that have the core at hand, each in a process of its own; call it once in a file. */
export function programs(): (body: string, ...flags: string[]) => Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "undaunted-program-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  let made = 0;
  return async (body, ...flags) => {
    const program = join(folder, `program-${made++}.mjs`);
    await build({
      stdin: {
        contents: `import * as undaunted from "./index.js";\n${body}`,
        resolveDir: fileURLToPath(new URL("../../src", import.meta.url)),
      },
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
    });
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, program], { timeout: PATIENCE });
    return stdout.trim();
  };
}
