// `headgate filter versions`: what a process' plugins serve, as a table.
import { UsageError } from "../args.ts";
import {
  ADMIN_HELP,
  AdminClient,
  adminFlags,
  ExitCode,
  needed,
  parseFlags,
  readTokenFile,
} from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { readPlugins } from "./plugin-versions.ts";
import type { ShownPlugin } from "./plugin-versions.ts";

const TITLES: readonly string[] = [
  "PLUGIN",
  "VERSION",
  "STATE",
  "SHARE",
  "STREAMS",
  "5XX",
  "STOPS",
  "FUEL/STREAM",
  "P50 MS",
  "P99 MS",
  "SOURCE",
];

export const command: FilterCommand = {
  help: `usage: headgate filter versions --admin URL [--plugin NAME] [flags]

The versions of all plugins, or of one: those that serve, and those to go back to.

${ADMIN_HELP}
example:
  headgate filter versions --admin http://127.0.0.1:9901
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, adminFlags);
    if (positionals.length > 0) throw new UsageError(`unknown argument "${positionals[0]}"`);
    const token = readTokenFile(values["token-file"]);
    const client = new AdminClient(needed(values.admin, "admin"), token);
    const all = await readPlugins(client);
    const wanted = values.plugin;
    const plugins = all.filter(({ name }) => wanted === undefined || name === wanted);
    if (wanted !== undefined && plugins.length === 0) {
      process.stderr.write(`headgate: no plugin is called ${wanted}\n`);
      return ExitCode.Refused;
    }
    const text = values.json === true ? JSON.stringify({ plugins }, null, 1) : tableOf(plugins);
    process.stdout.write(`${text}\n`);
    return ExitCode.Done;
  },
};

function tableOf(plugins: readonly ShownPlugin[]): string {
  const rows = [TITLES, ...plugins.flatMap(rowsOf)];
  const widths = TITLES.map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

function rowsOf({ name, versions }: ShownPlugin): string[][] {
  return versions.map(({ name: version, state, share_percent, source, stats }) => [
    name,
    version,
    state,
    `${share_percent} %`,
    String(stats.streams),
    String(stats.responses_5xx),
    String(stats.stopped_fuel + stats.stopped_other),
    String(stats.fuel_per_stream),
    String(stats.duration_ms.p50),
    String(stats.duration_ms.p99),
    source,
  ]);
}
