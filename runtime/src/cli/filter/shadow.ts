// `headgate filter shadow`: what the version in the shadow of another did in another way.
import { UsageError } from "../args.ts";
import {
  ADMIN_HELP,
  AdminClient,
  adminFlags,
  needed,
  parseFlags,
  pluginPath,
  readTokenFile,
  report,
} from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";

const help = `usage: headgate filter shadow --admin URL --plugin NAME [flags]

How the streams of the version that was pushed with --shadow compare with those of the version that
serves: how many are the same, how many differ in what, and the first differences of each kind.

${ADMIN_HELP}
example:
  headgate filter shadow --admin http://127.0.0.1:9901 --plugin auth
`;

/** What the admin interface answers to `GET /wasm/plugins/NAME/shadow`. */
export interface ShadowPage {
  readonly version: string | null;
  readonly state: string;
  readonly stats: {
    readonly streams_compared: number;
    readonly streams_same: number;
    readonly streams_different: number;
    readonly differences: Readonly<Record<string, number>>;
    readonly streams_not_compared: Readonly<Record<string, number>>;
  } | null;
  readonly differences: readonly {
    readonly kind: string;
    readonly method: string;
    readonly path: string;
    readonly primary: string;
    readonly shadow: string;
  }[];
}

export const command: FilterCommand = {
  help,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, adminFlags);
    if (positionals.length > 0) throw new UsageError(`unknown argument "${positionals[0]}"`);
    const plugin = needed(values.plugin, "plugin");
    const token = readTokenFile(values["token-file"]);
    const client = new AdminClient(needed(values.admin, "admin"), token);
    const answer = await client.send("GET", pluginPath(plugin, "shadow", new URLSearchParams()));
    const text = answer.json === null ? "" : textOf(plugin, answer.json as unknown as ShadowPage);
    return report(answer, values.json === true, text);
  },
};

function textOf(plugin: string, { version, state, stats, differences }: ShadowPage): string {
  if (version === null) return `plugin ${plugin}: no version is in the shadow`;
  const now = state === "shadow" ? "is in the shadow" : `was in the shadow, and is ${state} now`;
  const lines = [`plugin ${plugin}: version ${version} ${now}`];
  if (stats === null) return [...lines, "no stream was compared yet"].join("\n");
  const { streams_compared: compared, streams_same: same } = stats;
  lines.push(`${compared} streams compared, ${same} the same, ${stats.streams_different} differ`);
  for (const [kind, count] of Object.entries(stats.differences)) lines.push(`  ${kind} ${count}`);
  for (const [reason, count] of Object.entries(stats.streams_not_compared)) {
    if (count > 0) lines.push(`not compared: ${reason} ${count}`);
  }
  for (const { kind, method, path, primary, shadow } of differences) {
    lines.push("", `${kind}, ${method} ${path}`, ...marked("-", primary), ...marked("+", shadow));
  }
  return lines.join("\n");
}

/** As patches show it: what serves goes, what is tried comes. */
function marked(mark: string, text: string): string[] {
  return text === "" ? [] : text.split("\n").map((line) => `${mark} ${line}`);
}
