// `headgate filter check`: the compiler's errors, without a module, once or with each save.
import { watch } from "node:fs";
import { join } from "node:path";
import { ExitCode, parseFlags } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import {
  type Compiler,
  type Diagnostic,
  oneFolder,
  Project,
  type SdkBuild,
  shownDiagnostic,
  told,
} from "./project.ts";

/** An editor may write a file in several steps. */
const SETTLE_MS = 50;

const flags = { watch: { type: "boolean" }, json: { type: "boolean" } } as const;

export const command: FilterCommand = {
  help: `usage: headgate filter check [FOLDER] [flags]

Tells what the compiler does not accept, which is more than an editor's TypeScript knows of. Errors
look like tsc's, "assembly/index.ts(12,5): error TS2322: ...", so that editors jump to them.

  --watch              again with each save, until Ctrl-C; lines around it as those of tsc --watch
  --json               a list of what was found, for a machine; not with --watch
exit codes: 0 no errors; 1 errors; 2 wrong use

examples:
  headgate filter check
  headgate filter check filters/auth --watch
  headgate filter check --json | jq length
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const project = new Project(oneFolder(positionals));
    const sdk = await project.sdk();
    if (values.watch === true) return await checkAlways(sdk, project);
    const found = await told("checking", check(sdk, project));
    if (values.json === true) process.stdout.write(`${JSON.stringify(found, null, 1)}\n`);
    else tell(sdk, found);
    return errorsIn(found) === 0 ? ExitCode.Done : ExitCode.Refused;
  },
};

async function check(
  sdk: SdkBuild,
  project: Project,
  resident?: Compiler,
): Promise<readonly Diagnostic[]> {
  const options = resident === undefined ? {} : { resident };
  try {
    const found = await sdk.checkFilter(project.folder, options);
    return found.map((one) => shownDiagnostic(one, project));
  } catch (error) {
    // The SDK's own class, which no room knows.
    if (!(error instanceof Error) || !/^(Build|Asc)Error$/.test(error.name)) throw error;
    const place = { code: "", file: "", line: 0, column: 0 };
    return [{ severity: "error", message: error.message, ...place }];
  }
}

function tell(sdk: SdkBuild, found: readonly Diagnostic[]): void {
  for (const one of found) process.stdout.write(`${sdk.diagnosticLine(one)}\n`);
}

function errorsIn(found: readonly Diagnostic[]): number {
  return found.filter(({ severity }) => severity === "error").length;
}

/** What editors look for when they follow `tsc --watch`. */
function say(text: string): void {
  process.stdout.write(`[${new Date().toTimeString().slice(0, 8)}] ${text}\n`);
}

/** Resolves at Ctrl-C, with what the last check came to. */
function checkAlways(sdk: SdkBuild, project: Project): Promise<number> {
  const compiler = new sdk.ResidentAsc();
  return new Promise((resolve, reject) => {
    let code: number = ExitCode.Done;
    let isRunning = false;
    let isChanged = true;
    let timer: NodeJS.Timeout | undefined;
    const run = async (): Promise<void> => {
      if (isRunning) return;
      isRunning = true;
      while (isChanged) {
        isChanged = false;
        const found = await check(sdk, project, compiler);
        tell(sdk, found);
        const errors = errorsIn(found);
        code = errors === 0 ? ExitCode.Done : ExitCode.Refused;
        say(`Found ${errors} error${errors === 1 ? "" : "s"}. Watching for file changes.`);
      }
      isRunning = false;
    };
    const changed = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        say("File change detected. Starting incremental compilation...");
        isChanged = true;
        run().catch(reject);
      }, SETTLE_MS);
    };
    const watcher = watch(join(project.folder, "assembly"), { recursive: true }, changed);
    watcher.on("error", reject);
    say("Starting compilation in watch mode...");
    run().catch(reject);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(code));
  });
}
