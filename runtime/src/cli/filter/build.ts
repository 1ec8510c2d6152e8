// `headgate filter build`: module, source map and JSON Schema of a project, and what weighs how
// much.
import { readFileSync } from "node:fs";
import { ExitCode, parseFlags } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import {
  type BuiltModule,
  type Diagnostic,
  type ModuleSize,
  oneFolder,
  Project,
  type SdkBuild,
  shownDiagnostic,
  shownPath,
  told,
} from "./project.ts";

const FUNCTIONS = 5;

const flags = { debug: { type: "boolean" }, json: { type: "boolean" } } as const;

export const command: FilterCommand = {
  help: `usage: headgate filter build [FOLDER] [flags]

Compiles a filter's project into build/NAME.wasm, with a source map and, when it has a @config
class, a JSON Schema beside it, and tells what weighs how much. What a proxy could not run is an
error: an import that none has, a hook that would never be called. Does nothing when nothing has
changed.

  --debug              faster and not optimised, to build/NAME.debug.wasm
  --json               paths, sizes and warnings or errors, for a machine
exit codes: 0 built, or up to date; 1 it does not compile; 2 wrong use

examples:
  headgate filter build
  headgate filter build filters/auth --debug
  headgate filter build --json | jq .size.stripped
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const project = new Project(oneFolder(positionals));
    const sdk = await project.sdk();
    const began = performance.now();
    try {
      const mode = values.debug === true ? "debug" : "release";
      const built = await told(
        `compiling ${sdk.filterName(project.folder)}`,
        sdk.buildFilter(project.folder, { mode }),
      );
      const size = sdk.moduleSize(readFileSync(built.wasm));
      if (values.json === true) tellJson({ ...built, size });
      else tell(sdk, project, built, size, performance.now() - began);
      return ExitCode.Done;
    } catch (error) {
      if ((error as Error).name !== "BuildError") throw error;
      const { diagnostics, message } = error as Error & { diagnostics: readonly Diagnostic[] };
      if (values.json === true) tellJson({ error: message, diagnostics });
      else if (diagnostics.length === 0) process.stderr.write(`headgate: ${message}\n`);
      else process.stderr.write(`${framesOf(sdk, project, diagnostics)}\n`);
      return ExitCode.Refused;
    }
  },
};

function tellJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 1)}\n`);
}

function framesOf(sdk: SdkBuild, project: Project, found: readonly Diagnostic[]): string {
  return sdk.formatDiagnostics(found.map((one) => shownDiagnostic(one, project)));
}

function tell(
  sdk: SdkBuild,
  project: Project,
  built: BuiltModule,
  size: ModuleSize,
  tookMs: number,
): void {
  if (built.warnings.length > 0) {
    process.stderr.write(`${framesOf(sdk, project, built.warnings)}\n`);
  }
  const how = built.isCached ? "up to date" : `built in ${(tookMs / 1000).toFixed(1)} s`;
  const beside = [built.map, built.schema].filter((path) => path !== null).map(shownPath);
  const largest = size.functions.slice(0, FUNCTIONS);
  const lines = [
    `${shownPath(built.wasm)}: ${kib(size.bytes)}, ${kib(size.stripped)} without names; ${how}`,
    ...beside,
    "",
    "sections",
    ...size.sections.map(({ name, bytes }) => `${padded(bytes)}  ${name}`),
    "",
    `functions: ${size.functions.length}, the largest`,
    ...largest.map(({ name, bytes }) => `${padded(bytes)}  ${name}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function padded(bytes: number): string {
  return String(bytes).padStart(9);
}
