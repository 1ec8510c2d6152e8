// Reads access logs and their filters: file, stdout, stderr and wasm loggers.
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { responseFlagNames } from "../../core/response-flags.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  AccessLogConfig,
  AccessLogFilterConfig,
  ComparisonOp,
  JsonValue,
  SubstitutionFormatConfig,
} from "../snapshot.ts";
import { isOfAnotherKind } from "./extension-kind.ts";
import { checkedFormat, readFormat } from "./format-reader.ts";
import { readDenominator, readHeaderMatch } from "./string-reader.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const LOGGERS = "envoy.extensions.access_loggers";
const FILE = `${LOGGERS}.file.v3.FileAccessLog`;
const STDOUT = `${LOGGERS}.stream.v3.StdoutAccessLog`;
const STDERR = `${LOGGERS}.stream.v3.StderrAccessLog`;
const WASM = `${LOGGERS}.wasm.v3.WasmAccessLog`;

export function readAccessLogs(t: Translation, nodes: readonly ConfigNode[]): AccessLogConfig[] {
  const logs: AccessLogConfig[] = [];
  for (const node of nodes) {
    const name = node.string("name", "");
    const filterNode = node.node("filter");
    const filter = filterNode === undefined ? null : readAccessLogFilter(t, filterNode);
    const typed = node.any("typed_config");
    if (typed === undefined) {
      t.missing(node, "typed_config");
      continue;
    }
    const sink = readSink(t, node, typed, name);
    if (sink !== null) logs.push({ name, filter, sink });
  }
  return logs;
}

function readSink(
  t: Translation,
  node: ConfigNode,
  typed: ConfigNode,
  name: string,
): AccessLogConfig["sink"] | null {
  switch (typed.typeName) {
    case FILE: {
      const path = readLogPath(t, typed, "path");
      return { kind: "file", path, format: readFileFormat(t, typed) };
    }
    case STDOUT:
    case STDERR: {
      const format = typed.node("log_format");
      const kind = typed.typeName === STDOUT ? "stdout" : "stderr";
      return { kind, format: format === undefined ? null : readFormat(t, format) };
    }
    case WASM: {
      const config = typed.node("config");
      if (config === undefined) {
        t.missing(typed, "config");
        return null;
      }
      const plugin = readWasmPlugin(t, config, name);
      return plugin === null ? null : { kind: "wasm", plugin: t.addPlugin(plugin) };
    }
    default:
      typed.acceptRest("reported as a whole");
      if (isOfAnotherKind(t, node, typed.typeName, "an access logger")) return null;
      t.unsupported(node, `the access logger ${typed.typeName}`, "typed_config");
      return null;
  }
}

/** Written through their descriptors: who started us may have opened them as somebody else. */
const OPEN_ALREADY: ReadonlySet<string> = new Set(["/dev/stdout", "/dev/stderr"]);

/** The path of a log; a problem when it cannot be written. Nothing is created. */
export function readLogPath(t: Translation, node: ConfigNode, field: string): string {
  const path = node.string(field, "");
  const problem = path === "" || OPEN_ALREADY.has(path) ? "" : whyUnwritable(path);
  if (problem !== "") t.wrong(node, `unable to open the file ${path}: ${problem}`, field);
  return path;
}

function whyUnwritable(path: string): string {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return "is a directory";
    if (found === undefined) accessSync(dirname(path), constants.W_OK | constants.X_OK);
    else if (found.isFile()) accessSync(path, constants.W_OK);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** log_format, or the deprecated format, json_format and typed_json_format. */
function readFileFormat(t: Translation, typed: ConfigNode): SubstitutionFormatConfig | null {
  const base = { omitEmptyValues: false, contentType: "", text: "", json: null };
  const kind = typed.oneof("access_log_format");
  switch (kind) {
    case "log_format": {
      const format = typed.node(kind);
      return format === undefined ? null : readFormat(t, format);
    }
    case "format": {
      const text = typed.string(kind, "");
      // Empty is Envoy's default line.
      if (text === "") return null;
      return checkedFormat(t, typed, { ...base, kind: "text", text }, kind);
    }
    case "json_format":
    case "typed_json_format": {
      const json = (typed.json(kind) ?? {}) as JsonValue;
      return checkedFormat(t, typed, { ...base, kind: "json", json }, kind);
    }
    default:
      return null;
  }
}

const operators: Readonly<Record<string, ComparisonOp>> = {
  EQ: "eq",
  GE: "ge",
  LE: "le",
  NE: "ne",
};

/** Filters without settings. */
const plainFilters = {
  not_health_check_filter: "not_health_check",
  traceable_filter: "traceable",
} as const;

/** An AccessLogFilter; null (log everything) and a problem for kinds that are not implemented. */
export function readAccessLogFilter(
  t: Translation,
  node: ConfigNode,
): AccessLogFilterConfig | null {
  const kind = node.oneof("filter_specifier");
  if (kind === "not_health_check_filter" || kind === "traceable_filter") {
    node.node(kind);
    return { kind: plainFilters[kind] };
  }
  if (kind === undefined) return null;
  const reader = readers.get(kind);
  if (reader === undefined) {
    node.accept(kind, "reported as a whole");
    t.unsupported(node, kind, kind);
    return null;
  }
  const inner = node.node(kind);
  return inner === undefined ? null : reader(t, inner);
}

type FilterReader = (t: Translation, node: ConfigNode) => AccessLogFilterConfig | null;

const readers: ReadonlyMap<string, FilterReader> = new Map<string, FilterReader>([
  ["status_code_filter", (t, node) => readComparison(t, node, "status_code")],
  ["duration_filter", (t, node) => readComparison(t, node, "duration")],
  ["runtime_filter", readRuntimeFilter],
  ["and_filter", readAnd],
  ["or_filter", readOr],
  ["header_filter", readHeaderFilter],
  [
    "response_flag_filter",
    (_, node) => ({ kind: "response_flag", flags: readFlags(node.strings("flags")) }),
  ],
  ["grpc_status_filter", readGrpcStatus],
]);

function readRuntimeFilter(_: Translation, node: ConfigNode): AccessLogFilterConfig {
  const sampled = node.node("percent_sampled");
  return {
    kind: "runtime",
    runtimeKey: node.string("runtime_key", ""),
    denominator: readDenominator(sampled),
    numerator: sampled?.uint("numerator", 0) ?? 0,
    useIndependentRandomness: node.bool("use_independent_randomness", false),
  };
}

/** What is not implemented counts as true: rather a line too many than one too few. */
function readAnd(t: Translation, node: ConfigNode): AccessLogFilterConfig | null {
  const filters = node.nodes("filters").map((filter) => readAccessLogFilter(t, filter));
  const known = filters.filter((filter) => filter !== null);
  return known.length === 0 ? null : { kind: "and", filters: known };
}

function readOr(t: Translation, node: ConfigNode): AccessLogFilterConfig | null {
  const filters = node.nodes("filters").map((filter) => readAccessLogFilter(t, filter));
  const known = filters.filter((filter) => filter !== null);
  return known.length < filters.length ? null : { kind: "or", filters: known };
}

function readHeaderFilter(t: Translation, node: ConfigNode): AccessLogFilterConfig | null {
  const header = node.node("header");
  return header === undefined ? null : { kind: "header", header: readHeaderMatch(t, header) };
}

function readGrpcStatus(_: Translation, node: ConfigNode): AccessLogFilterConfig {
  const statuses = node.strings("statuses").map((name) => GRPC_STATUSES.indexOf(name));
  return { kind: "grpc_status", statuses, exclude: node.bool("exclude", false) };
}

function readComparison(
  t: Translation,
  node: ConfigNode,
  kind: "status_code" | "duration",
): AccessLogFilterConfig {
  const comparison = node.node("comparison");
  const value = comparison?.node("value");
  const runtimeKey = value?.string("runtime_key") ?? "";
  const name = comparison?.enum("op") ?? "EQ";
  const op = operators[name];
  if (op === undefined && comparison !== undefined) {
    t.wrong(comparison, `unknown operator ${name}`, "op");
  }
  return { kind, op: op ?? "eq", value: value?.uint("default_value", 0) ?? 0, runtimeKey };
}

function readFlags(names: readonly string[]): number {
  let flags = 0;
  for (const flag of responseFlagNames) if (names.includes(flag.short)) flags |= flag.flag;
  return flags;
}

const GRPC_STATUSES: readonly string[] = [
  "OK",
  "CANCELED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
