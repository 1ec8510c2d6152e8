// `headgate filter test`: the project's own vitest.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../args.ts";
import { ExitCode, parseFlags } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { Project } from "./project.ts";

const flags = {
  folder: { type: "string" },
  watch: { type: "boolean" },
  json: { type: "boolean" },
} as const;

export const command: FilterCommand = {
  help: `usage: headgate filter test [FILTER ...] [flags]

Runs the tests of a filter's project by the vitest that it has installed: those whose file has
FILTER in its path, or all. Sources are compiled when they have changed.

  --folder FOLDER      of the project, default the current one
  --watch              again with each save, until Ctrl-C
  --json               vitest's report, for a machine
exit codes: 0 all passed; 1 some did not, or there are none; 2 wrong use

examples:
  headgate filter test
  headgate filter test config --watch
  headgate filter test --folder filters/auth
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const project = new Project(values.folder ?? ".");
    if (values.json === true && values.watch === true) {
      throw new UsageError("--json: expected no --watch beside it");
    }
    const mode = values.watch === true ? "watch" : "run";
    const args = [join(project.folderOf("vitest"), "vitest.mjs"), mode, ...positionals];
    if (values.json !== true) return await vitest(project, args, "inherit");
    // On its output it would tell other things, too.
    const folder = mkdtempSync(join(tmpdir(), "headgate-test-"));
    try {
      const report = join(folder, "report.json");
      args.push("--reporter=json", `--outputFile=${report}`);
      const code = await vitest(project, args, "ignore");
      if (existsSync(report)) process.stdout.write(`${readFileSync(report, "utf8").trim()}\n`);
      return code;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function vitest(
  { folder }: Project,
  args: readonly string[],
  output: "inherit" | "ignore",
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = ["inherit", output, "inherit"] as const;
    const child = spawn(process.execPath, args, { cwd: folder, stdio: [...stdio] });
    // A terminal sends it to both: vitest decides.
    process.once("SIGTERM", () => child.kill("SIGTERM")).on("SIGINT", () => {});
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0 ? ExitCode.Done : ExitCode.Refused));
  });
}
