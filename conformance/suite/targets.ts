// The hosts that a run can be made against, and how each is started.
import type { Limits, Need } from "../abi/case.ts";
import { findEnvoy, findHeadgate, versionOf } from "../envoy/target.ts";

/** What the process of a batch is started for. */
export interface Launch {
  readonly configFile: string;
  readonly level: LogLevel;
  /** Threads that carry traffic. */
  readonly concurrency: number;
  /** The plugin whose calls the host shall log; undefined = none. */
  readonly tracePlugin?: string | undefined;
  /** What `limitsText` made; undefined = no plugin has limits. */
  readonly limitsFile?: string | undefined;
}

/** Of the guests' log lines. */
export type LogLevel = "trace" | "warning" | "error";

export interface NetworkTarget {
  readonly name: string;
  readonly version: string;
  readonly cannot: ReadonlySet<Need>;
  /** The command with its arguments; a text goes to a shell. */
  readonly command: (launch: Launch) => readonly string[] | string;
  /** Guests' lines of the host's log, where the adapter knows how they look. */
  readonly logLine?: RegExp;
  /** A file that bounds what plugins may use, by their names. */
  readonly limitsText?: (plugins: ReadonlyMap<string, Limits>) => string;
  /** Lines of its own trace of a plugin; undefined = it has none, and is not asked for one. */
  readonly traceLine?: RegExp;
}

/** "[level][wasm] … wasm log NAME ROOT VM: MESSAGE", as Envoy and Headgate write it. */
const ENVOY_LINE =
  /\[(trace|debug|info|warning|warn|error|critical)\]\[wasm\].*? wasm log[^:]*: (.*)$/;

/** As Headgate's --wasm-trace writes it. */
const TRACE_LINE = /\[wasm\].*? wasm trace (.*)$/;

type Flags = (launch: Launch) => readonly string[];

function envoyFlags(binary: string, own: readonly string[]): Flags {
  return ({ configFile, level, concurrency }) => {
    const flags = ["-c", configFile, "--concurrency", String(concurrency), "--disable-hot-restart"];
    flags.push("--log-level", level === "trace" ? "warning" : level);
    if (level === "trace") flags.push("--component-log-level", "wasm:trace");
    flags.push("--file-flush-interval-msec", "10", "--drain-time-s", "1");
    flags.push("--drain-strategy", "immediate");
    return [binary, ...flags, ...own];
  };
}

function headgateFlags(binary: string): Flags {
  const usual = envoyFlags(binary, ["--sigterm-drain-s", "0"]);
  return (launch) => {
    const { tracePlugin, level, limitsFile } = launch;
    const limits = limitsFile === undefined ? [] : ["--wasm-policy", limitsFile];
    if (tracePlugin === undefined) return [...usual(launch), ...limits];
    const levels = level === "trace" ? [] : ["--component-log-level", "wasm:info"];
    return [...usual(launch), ...limits, ...levels, "--wasm-trace", tracePlugin];
  };
}

/** The file of Headgate's --wasm-policy. */
function headgatePolicy(plugins: ReadonlyMap<string, Limits>): string {
  const policies = [...plugins].map(([name, one]) => {
    const { memoryPages, configureFuel, callbackFuel, ...limits } = one;
    const words = Object.entries(limits).map(([word, value]) => {
      return [word.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value];
    });
    const pages = memoryPages === undefined ? {} : { memory_pages: memoryPages };
    const configure = configureFuel === undefined ? {} : { configure: configureFuel };
    const callback = callbackFuel === undefined ? {} : { callback: callbackFuel };
    const fuel = { ...configure, ...callback };
    const own = { limits: Object.fromEntries(words), ...pages };
    return [name, Object.keys(fuel).length === 0 ? own : { ...own, fuel }];
  });
  return JSON.stringify({ plugins: Object.fromEntries(policies) });
}

/** Headgate, where it is found. */
export function headgate(): NetworkTarget | undefined {
  const spec = findHeadgate();
  if (spec === undefined) return undefined;
  return {
    name: "headgate",
    version: versionOf(spec),
    cannot: new Set<Need>(),
    command: headgateFlags(spec.binary),
    logLine: ENVOY_LINE,
    traceLine: TRACE_LINE,
    limitsText: headgatePolicy,
  };
}

/** Envoy at a path, or where it is found. */
export function envoy(path?: string): NetworkTarget | undefined {
  const spec = path === undefined ? findEnvoy() : { kind: "envoy" as const, binary: path };
  if (spec === undefined) return undefined;
  return {
    name: "envoy",
    version: versionOf(spec),
    cannot: new Set<Need>(["fuel", "limits", "route configuration"]),
    command: envoyFlags(spec.binary, []),
    logLine: ENVOY_LINE,
  };
}

/** A host by its command, in which {config} is the file of its configuration. */
export function byCommand(name: string, command: string): NetworkTarget {
  if (!command.includes("{config}")) {
    throw new Error(`--target '${name}=${command}': expected {config} where the file's name goes`);
  }
  return {
    name,
    version: "",
    cannot: new Set<Need>([
      "trace log",
      "error log",
      "drain",
      "fuel",
      "limits",
      "route configuration",
      "threads",
    ]),
    command: ({ configFile }) => command.replaceAll("{config}", configFile),
  };
}

/** `headgate`, `envoy`, `envoy=PATH` or `NAME=COMMAND with {config}`. */
export function targetOf(text: string): NetworkTarget {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  const rest = at < 0 ? undefined : text.slice(at + 1);
  if (name === "headgate" && rest === undefined) {
    const found = headgate();
    if (found === undefined) throw new Error("no Headgate is found: set HEADGATE_BIN");
    return found;
  }
  if (name === "envoy" && (rest === undefined || !rest.includes("{config}"))) {
    const found = envoy(rest);
    if (found === undefined) throw new Error("no Envoy is found: set ENVOY_BIN, or envoy=PATH");
    return found;
  }
  if (rest === undefined) {
    throw new Error(
      `--target ${text}: expected headgate, envoy, envoy=PATH or 'NAME=COMMAND with {config}'`,
    );
  }
  return byCommand(name, rest);
}
