// Reads access logs and their filters: file, stdout, stderr and wasm loggers.
import { responseFlagNames } from "../../core/response-flags.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  AccessLogConfig,
  AccessLogFilterConfig,
  ComparisonOp,
  JsonValue,
  SubstitutionFormatConfig,
} from "../snapshot.ts";
import { checked, readFormat } from "./format-reader.ts";
import { readFractionPpm, readHeaderMatch } from "./string-reader.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const FILE = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
const STDOUT = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
const STDERR = "envoy.extensions.access_loggers.stream.v3.StderrAccessLog";
const WASM = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog";

export function readAccessLogs(t: Translation, nodes: readonly ConfigNode[]): AccessLogConfig[] {
  const logs: AccessLogConfig[] = [];
  for (const node of nodes) {
    const name = node.string("name", "");
    const filterNode = node.node("filter");
    const filter = filterNode === undefined ? null : readAccessLogFilter(t, filterNode);
    const typed = node.any("typed_config");
    if (typed === undefined) {
      t.wrong(node, "expected typed_config");
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
    case FILE:
      return { kind: "file", path: typed.string("path", ""), format: readFileFormat(t, typed) };
    case STDOUT:
    case STDERR: {
      const format = typed.node("log_format");
      const kind = typed.typeName === STDOUT ? "stdout" : "stderr";
      return { kind, format: format === undefined ? null : readFormat(t, format) };
    }
    case WASM: {
      const config = typed.node("config");
      if (config === undefined) {
        t.wrong(typed, "expected config");
        return null;
      }
      const plugin = readWasmPlugin(t, config, name);
      return plugin === null ? null : { kind: "wasm", plugin: t.addPlugin(plugin) };
    }
    default:
      typed.acceptRest("reported as a whole");
      t.unsupported(node, `the access logger ${typed.typeName}`, "typed_config");
      return null;
  }
}

/** log_format, or the deprecated format, json_format and typed_json_format. */
function readFileFormat(t: Translation, typed: ConfigNode): SubstitutionFormatConfig | null {
  const logFormat = typed.node("log_format");
  if (logFormat !== undefined) return readFormat(t, logFormat);
  const base = { omitEmptyValues: false, contentType: "", text: "", json: null };
  const text = typed.string("format");
  if (text !== undefined && text !== "") return checked(t, typed, { ...base, kind: "text", text });
  const json = typed.json("json_format") ?? typed.json("typed_json_format");
  if (json === undefined) return null;
  return checked(t, typed, { ...base, kind: "json", json: json as JsonValue });
}

const operators: Readonly<Record<string, ComparisonOp>> = {
  EQ: "eq",
  GE: "ge",
  LE: "le",
  NE: "ne",
};

/** An AccessLogFilter; null (log everything) and a problem for kinds that are not implemented. */
export function readAccessLogFilter(
  t: Translation,
  node: ConfigNode,
): AccessLogFilterConfig | null {
  const kind = node.oneof("filter_specifier") ?? "";
  switch (kind) {
    case "status_code_filter":
      return readComparison(t, node.node(kind) as ConfigNode, "status_code");
    case "duration_filter":
      return readComparison(t, node.node(kind) as ConfigNode, "duration");
    case "not_health_check_filter":
      node.node(kind)?.acceptRest("has no fields");
      return { kind: "not_health_check" };
    case "traceable_filter":
      node.node(kind)?.acceptRest("has no fields");
      return { kind: "traceable" };
    case "runtime_filter": {
      const inner = node.node(kind) as ConfigNode;
      inner.accept("runtime_key", "without runtime layers the default holds");
      return {
        kind: "runtime",
        ppm: readFractionPpm(inner.node("percent_sampled"), 0),
        useIndependentRandomness: inner.bool("use_independent_randomness", false),
      };
    }
    case "and_filter":
    case "or_filter": {
      const inner = (node.node(kind) as ConfigNode).nodes("filters");
      const filters = inner.map((f) => readAccessLogFilter(t, f)).filter((f) => f !== null);
      return { kind: kind === "and_filter" ? "and" : "or", filters };
    }
    case "header_filter": {
      const header = (node.node(kind) as ConfigNode).node("header") as ConfigNode;
      return { kind: "header", header: readHeaderMatch(t, header) };
    }
    case "response_flag_filter":
      return {
        kind: "response_flag",
        flags: readFlags((node.node(kind) as ConfigNode).strings("flags")),
      };
    case "grpc_status_filter": {
      const inner = node.node(kind) as ConfigNode;
      const statuses = inner.strings("statuses").map((name) => GRPC_STATUSES.indexOf(name));
      return { kind: "grpc_status", statuses, exclude: inner.bool("exclude", false) };
    }
    default:
      // Stays unread and is reported by name.
      return null;
  }
}

function readComparison(
  t: Translation,
  node: ConfigNode,
  kind: "status_code" | "duration",
): AccessLogFilterConfig {
  const comparison = node.node("comparison") as ConfigNode;
  const value = comparison.node("value");
  value?.accept("runtime_key", "without runtime layers the default holds");
  const op = operators[comparison.enum("op")];
  if (op === undefined) t.wrong(comparison, `unknown operator ${comparison.enum("op")}`, "op");
  return { kind, op: op ?? "eq", value: value?.uint("default_value", 0) ?? 0 };
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
