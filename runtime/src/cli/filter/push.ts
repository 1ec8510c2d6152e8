// `headgate filter push`: a module or a configuration for a plugin of a running process.
import { existsSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { PUSHED_MAP_BYTES_MAX } from "../../server/trap-places.ts";
import { UsageError } from "../args.ts";
import {
  ADMIN_HELP,
  AdminClient,
  type AdminAnswer,
  adminFlags,
  ExitCode,
  needed,
  noteText,
  parseFlags,
  pluginPath,
  pushBody,
  readInput,
  readTokenFile,
  report,
} from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { readPlugins } from "./plugin-versions.ts";

const help = `usage: headgate filter push [FILE.wasm] --admin URL --plugin NAME [flags]

The module is checked, compiled and tried in the process, and takes over for new streams in all
workers at once; streams that are there end on the module before. A bad one changes nothing.

  --source-map FILE    tells lines of its sources in reports of traps; default FILE.wasm.map, if
                       it is there
  --config FILE        bytes for the plugin's configuration; without FILE.wasm: for the module
                       that serves
  --canary PERCENT     only that share of streams goes to it: 10%, 0.5%
  --canary-header H    only streams with the header H, or H=VALUE
  --sticky KEY         with --canary or --shadow: who has one keeps it; KEY is client (the address)
                       or header:NAME
  --shadow [PERCENT]   it sees copies of all streams, or of that share, and nobody feels it:
                       its differences are shown by "headgate filter shadow"
  --shadow-header H    the same of streams with the header H, or H=VALUE
  --fresh-shared-data  it begins without the shared data and queues of the version before, and those
                       after it have its
  --promote            the canary takes all streams when its window has passed well
  --wait               exits when every worker serves the version: with --promote, when the canary
                       was promoted (0) or rolled back (1)
  --timeout SECONDS    for --wait, default 600
${ADMIN_HELP}
examples:
  headgate filter push filter.wasm --admin http://127.0.0.1:9901 --plugin auth
  headgate filter push filter.wasm --admin unix:/run/headgate.sock --plugin auth \\
    --canary 10% --promote --wait
  headgate filter push filter.wasm --admin 127.0.0.1:9901 --plugin auth --shadow 50%
  headgate filter push --config auth.json --admin 127.0.0.1:9901 --plugin auth
`;

const flags = {
  ...adminFlags,
  config: { type: "string" },
  "source-map": { type: "string" },
  canary: { type: "string" },
  "canary-header": { type: "string" },
  shadow: { type: "string" },
  "shadow-header": { type: "string" },
  sticky: { type: "string" },
  "fresh-shared-data": { type: "boolean" },
  promote: { type: "boolean" },
  wait: { type: "boolean" },
  timeout: { type: "string" },
} as const;

/** Parameters are called the same, but for the dash. */
const trialFlags = ["canary", "canary-header", "shadow", "shadow-header"] as const;

const POLL_MS = 300;

interface PushPlan {
  readonly client: AdminClient;
  readonly plugin: string;
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly isJson: boolean;
  /** Milliseconds to wait for a verdict; 0 = it is not waited for. */
  readonly waitMs: number;
}

export const command: FilterCommand = {
  help,
  async run(argv) {
    const plan = planOf(argv);
    const answer = await plan.client.send("POST", plan.path, plan.body, plan.contentType);
    const code = report(answer, plan.isJson, doneText(answer, plan.plugin));
    if (code !== ExitCode.Done || plan.waitMs === 0) return code;
    return await waitForVerdict(plan, String(answer.json?.["version"]));
  },
};

function planOf(argv: readonly string[]): PushPlan {
  const { values, positionals } = parseFlags(withShares(argv), flags);
  const [file, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`expected one file, found ${positionals.join(" ")}`);
  const module = file === undefined ? null : readInput(file, "module");
  const { config } = values;
  if (module === null && values["source-map"] !== undefined) {
    throw new UsageError("--source-map is of a module: expected FILE too");
  }
  const sourceMap = readMap(file, values["source-map"]);
  const configuration = config === undefined ? null : readInput(config, "--config");
  if (module === null && configuration === null) throw new UsageError("expected FILE or --config");
  const given = trialFlags.filter((name) => values[name] !== undefined);
  if (given.length > 1) {
    throw new UsageError(`expected one of ${given.map((name) => `--${name}`).join(", ")}`);
  }
  const isCanary = given[0]?.startsWith("canary") === true;
  if (values.promote === true && !isCanary) {
    throw new UsageError("--promote is of a canary: expected --canary too");
  }
  if (values.sticky !== undefined && given.length === 0) {
    throw new UsageError("--sticky is of a canary or a shadow: expected --canary or --shadow too");
  }
  const query = new URLSearchParams();
  for (const name of given) query.set(name.replace("-", "_"), values[name] ?? "");
  if (values.sticky !== undefined) query.set("sticky", values.sticky);
  if (values["fresh-shared-data"] === true) query.set("shared_data", "fresh");
  if (values.promote === true) query.set("promote", "auto");
  const plugin = needed(values.plugin, "plugin");
  const { body, contentType } = pushBody(module, configuration, sourceMap);
  const token = readTokenFile(values["token-file"]);
  const waits = values.wait === true && values.promote === true;
  return {
    client: new AdminClient(needed(values.admin, "admin"), token),
    plugin,
    path: pluginPath(plugin, module === null ? "configuration" : "module", query),
    body,
    contentType,
    isJson: values.json === true,
    waitMs: waits ? timeoutMs(values.timeout) : 0,
  };
}

/** A shadow without a share sees all streams. */
function withShares(argv: readonly string[]): string[] {
  return argv.map((word, at) => {
    const isBare = word === "--shadow" && !/^[\d.]+%?$/.test(argv[at + 1] ?? "");
    return isBare ? "--shadow=100%" : word;
  });
}

function timeoutMs(text: string | undefined): number {
  const seconds = Number(text ?? "600");
  if (seconds > 0 && seconds <= 86_400) return seconds * 1000;
  throw new UsageError(`--timeout: found ${text}, expected seconds from 1 to 86400`);
}

/** The one that was named, or the one beside the module. */
function readMap(file: string | undefined, named: string | undefined): Buffer | null {
  if (named !== undefined) return readInput(named, "--source-map");
  return file === undefined ? null : mapBeside(file);
}

/** Of a module's file; null = there is none that a process would keep. */
export function mapBeside(file: string): Buffer | null {
  const beside = `${file}.map`;
  if (!existsSync(beside) || statSync(beside).size > PUSHED_MAP_BYTES_MAX) return null;
  return readInput(beside, "source map");
}

function doneText({ json }: AdminAnswer, plugin: string): string {
  const version = String(json?.["version"]);
  const state = json?.["state"];
  if (state === "same") return `plugin ${plugin}: version ${version} serves already`;
  const replaced = json?.["replaced"];
  const before = typeof replaced === "string" ? replaced : "no module";
  const what =
    state === "canary"
      ? `version ${version} is tried beside ${before}`
      : state === "shadow"
        ? `version ${version} is in the shadow of ${before}`
        : `version ${version} serves all new streams in place of ${before}`;
  const findings = json?.["findings"] as { readonly warnings?: readonly string[] } | undefined;
  const warnings = (findings?.warnings ?? []).map((text) => `\nwarning: ${text}`).join("");
  return `plugin ${plugin}: ${what}${noteText(json)}${warnings}`;
}

/** A canary becomes the primary, or is gone. */
async function waitForVerdict(plan: PushPlan, version: string): Promise<number> {
  const { client, plugin, waitMs } = plan;
  for (const endMs = Date.now() + waitMs; Date.now() < endMs; await delay(POLL_MS)) {
    const found = (await readPlugins(client)).find(({ name }) => name === plugin);
    const state = found?.versions.find(({ name }) => name === version)?.state ?? "gone";
    if (state === "canary") continue;
    const why = found?.events.find((event) => event.version === version)?.what ?? state;
    if (!plan.isJson) process.stdout.write(`plugin ${plugin}: version ${version} ${why}\n`);
    return state === "primary" ? ExitCode.Done : ExitCode.Refused;
  }
  process.stderr.write(`headgate: version ${version} is tried still after ${waitMs / 1000} s\n`);
  return ExitCode.Unreachable;
}
