import { join } from "node:path";
import ts from "typescript";
import { root, type Unit } from "./blocks.js";
import { home, moduleOf } from "./prelude.js";

/** Type-checks all units as one program, under the settings of the tests, and answers each one's errors. */
export function typeErrorsOf(units: readonly Unit[]): Map<Unit, string[]> {
  const { config } = ts.readConfigFile(join(root, "test/tsconfig.json"), ts.sys.readFile);
  // An example may well end with the declaration that it is about.
  const unused = { noUnusedLocals: false, noUnusedParameters: false };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(root, "test"), {
    ...unused,
    moduleDetection: ts.ModuleDetectionKind.Force,
  });
  const files = new Map(units.map((unit, index) => [join(home, `block-${index}.ts`), unit]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, target, ...rest) => {
    const unit = files.get(path);
    return unit ? ts.createSourceFile(path, moduleOf(unit), target) : getSourceFile(path, target, ...rest);
  };
  const program = ts.createProgram([join(home, "engines.d.ts"), ...files.keys()], options, host);
  const globals = program
    .getOptionsDiagnostics()
    .map((each) => ts.flattenDiagnosticMessageText(each.messageText, "\n"));
  if (globals.length > 0) throw new Error(globals.join("\n"));
  return new Map([...files].map(([path, unit]) => [unit, errorsIn(program, path, unit)]));
}

function errorsIn(program: ts.Program, path: string, unit: Unit): string[] {
  const source = program.getSourceFile(path);
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  return found.map(({ start, messageText }) => {
    const line = source!.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${unit.origin(line)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}
