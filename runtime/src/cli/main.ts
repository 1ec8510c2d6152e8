// The command line's entry: parses flags, then serves, validates, or says what is wrong. Exit
// codes: 0 done, 1 wrong configuration or a failed start, 2 wrong use, 3 nobody answers.
import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import {
  TRACE_ALL,
  type TraceRule,
  withTraceEvery,
  withTraceHeader,
} from "../config/trace-rule.ts";
import { LogLevel } from "../core/logger.ts";
import {
  DEFAULT_PROCESS_LOG_FORMAT,
  logLevelOf,
  parseComponentLevels,
} from "../server/log-levels.ts";
import type { EngineKind } from "../server/network-wish.ts";
import type { ServerOptions, TakeoverOptions, ThreadEntries } from "../server/options.ts";
import { VERSION } from "../server/version.ts";
import { helpText, parseCommandLine, UsageError } from "./args.ts";
import type { CommandLine } from "./args.ts";

/** First words that are no flags, but commands of their own. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  filter: () => import("./filter/index.ts"),
  top: () => import("./top/index.ts"),
};

interface Command {
  run(argv: readonly string[]): Promise<number>;
}

/** Runs the command line; resolves with the exit code, after `serve` when the server has ended. */
export async function main(argv: readonly string[], entries: ThreadEntries): Promise<number> {
  try {
    const [first = "", ...rest] = argv;
    const command = Object.hasOwn(commands, first) ? commands[first] : undefined;
    if (command !== undefined) return await (await command()).run(rest);
    return await run(parseCommandLine(argv), entries);
  } catch (error) {
    if (error instanceof Error && error.name === "UnreachableError") {
      process.stderr.write(`headgate: ${error.message}\n`);
      return 3;
    }
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`headgate: ${error.message}\nTry ${error.help}\n`);
    return 2;
  }
}

async function run(line: CommandLine, entries: ThreadEntries): Promise<number> {
  if (line.values.has("help")) {
    process.stdout.write(helpText());
    return 0;
  }
  if (line.values.has("version")) {
    process.stdout.write(`headgate ${VERSION} (node ${process.versions.node})\n`);
    return 0;
  }
  if (line.values.has("hot-restart-version")) {
    process.stdout.write("disabled\n");
    return 0;
  }
  const options = optionsOf(line, entries);
  const basePath = line.values.get("base-id-path");
  if (basePath !== undefined) writeFileSync(basePath, `${options.takeover.baseId}\n`);
  if (options.mode === "validate") {
    const { validate } = await import("../server/validate.ts");
    return validate(options);
  }
  const { serve } = await import("../server/serve.ts");
  return serve(options, line.withoutEffect);
}

function optionsOf(line: CommandLine, entries: ThreadEntries): ServerOptions {
  const text = (name: string, fallback = ""): string => line.values.get(name) ?? fallback;
  const number = (name: string, fallback: number): number =>
    Number(line.values.get(name) ?? fallback);
  const componentLevels = parseComponentLevels(text("component-log-level"));
  if (typeof componentLevels === "string") {
    throw new UsageError(`--component-log-level: ${componentLevels}`);
  }
  if (!line.values.has("config-path") && !line.values.has("config-yaml")) {
    throw new UsageError("expected --config-path (-c) or --config-yaml");
  }
  return {
    configPath: text("config-path"),
    configYaml: text("config-yaml"),
    concurrency: Math.max(1, number("concurrency", availableParallelism())),
    networkEngine: text("network-engine", "auto") as EngineKind,
    allowUnknownStaticFields:
      line.values.has("allow-unknown-static-fields") || line.values.has("allow-unknown-fields"),
    rejectUnknownDynamicFields: line.values.has("reject-unknown-dynamic-fields"),
    watchConfig: line.values.has("watch-config"),
    wasmPush: pushOf(text("wasm-push", "local")),
    wasmPushToken: readToken(text("wasm-push-token-file")),
    wasmPolicyPath: text("wasm-policy"),
    wasmTrace: text("wasm-trace"),
    wasmTraceRule: traceRule(line),
    watchModules: line.values.has("watch-modules"),
    ignoreUnsupported: line.values.has("ignore-unsupported"),
    wasmLenientImports: line.values.has("wasm-lenient-imports"),
    wasmStructAsJson: line.values.has("wasm-struct-as-json"),
    serviceNode: text("service-node"),
    serviceCluster: text("service-cluster"),
    serviceZone: text("service-zone"),
    fileFlushIntervalMs: number("file-flush-interval-msec", 10_000),
    drainTimeMs: number("drain-time-s", 600) * 1000,
    drainStrategy: text("drain-strategy") === "immediate" ? "immediate" : "gradual",
    sigtermDrainMs: number("sigterm-drain-s", 10) * 1000,
    workerStuckKillMs: number("worker-stuck-kill-s", 10) * 1000,
    adminAddressPath: text("admin-address-path"),
    takeover: takeoverOptions(line),
    logLevel: logLevelOf(text("log-level", "info")) ?? LogLevel.Info,
    componentLevels,
    logFormat: text("log-format", DEFAULT_PROCESS_LOG_FORMAT),
    logPath: text("log-path"),
    mode: modeOf(text("mode", "serve")),
    entries,
  };
}

function traceRule({ values }: CommandLine): TraceRule {
  const only = ["wasm-trace-every", "wasm-trace-header"].find((name) => values.has(name));
  if (only !== undefined && !values.has("wasm-trace")) {
    throw new UsageError(`--${only}: expected --wasm-trace with the name of a plugin beside it`);
  }
  let rule: TraceRule = TRACE_ALL;
  const every = withTraceEvery(rule, values.get("wasm-trace-every") ?? "1");
  if (typeof every === "string") throw new UsageError(`--wasm-trace-every: ${every}`);
  rule = every;
  const text = values.get("wasm-trace-header");
  if (text === undefined) return rule;
  const header = withTraceHeader(rule, text);
  if (typeof header === "string") throw new UsageError(`--wasm-trace-header: ${header}`);
  return header;
}

/** An explicit base id or epoch says that there is a process to follow. */
function takeoverOptions({ values }: CommandLine): TakeoverOptions {
  const number = (name: string, fallback: number): number => Number(values.get(name) ?? fallback);
  const restartEpoch = number("restart-epoch", 0);
  const isDynamic = values.has("use-dynamic-base-id");
  if (isDynamic && restartEpoch > 0) {
    throw new UsageError("--use-dynamic-base-id cannot be used with a --restart-epoch above 0");
  }
  const socketMode = values.get("socket-mode") ?? "600";
  if (!/^0?[0-7]{3}$/.test(socketMode)) {
    throw new UsageError(`--socket-mode expects an octal number such as 600, found ${socketMode}`);
  }
  return {
    mode: takeoverMode(values, restartEpoch, isDynamic),
    baseId: isDynamic ? randomInt(2 ** 31) : number("base-id", 0),
    restartEpoch,
    parentShutdownMs: number("parent-shutdown-time-s", 900) * 1000,
    socketPath: values.get("socket-path") ?? "",
    socketMode: Number.parseInt(socketMode, 8),
  };
}

function takeoverMode(
  values: CommandLine["values"],
  restartEpoch: number,
  isDynamic: boolean,
): TakeoverOptions["mode"] {
  // A process that only tries the configuration ends nobody.
  const isServing = modeOf(values.get("mode") ?? "serve") === "serve";
  if (!isServing || values.has("disable-hot-restart")) return "off";
  if (restartEpoch > 0) return values.has("skip-hot-restart-on-no-parent") ? "take" : "require";
  return values.has("base-id") && !isDynamic ? "take" : "offer";
}

function pushOf(text: string): ServerOptions["wasmPush"] {
  return text === "off" || text === "any" ? text : "local";
}

/** An empty token would let everybody in. */
function readToken(path: string): string {
  if (path === "") return "";
  let token = "";
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--wasm-push-token-file ${path}: ${(error as Error).message}`);
  }
  if (!/^[\x21-\x7e]{8,512}$/.test(token)) {
    const expected = "expected one line of 8 to 512 visible characters";
    throw new UsageError(`--wasm-push-token-file ${path}: found no token, ${expected}`);
  }
  return token;
}

function modeOf(text: string): ServerOptions["mode"] {
  return text === "validate" || text === "init_only" ? text : "serve";
}
