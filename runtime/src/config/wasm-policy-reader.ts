// Reads the file of --wasm-policy: a schema of its own, with every problem at its place. Called by
// server/config-loading.ts.
//
//   default:                 # for every plugin; each field has a default
//     fuel: {callback: 50000000, configure: 10000000000, start: 10000000000}    # or: fuel: off
//     callback_time_ms: 200  # or off
//     memory_pages: 2048
//     start_time_ms: 30000   # or off: the start is not tried in a thread of its own
//     live_start_time_ms: 200    # or off: as start_time_ms
//     standby: on            # or off, or always
//     files: off             # or on: WASI's, in memory; needs the package @wasmer/wasi
//     trace: off             # or on: calls are logged; or a number, or {every, header}
//     timing: 64             # of one stream in so many the time is taken, or off
//     debug_file: auth.debug.wasm    # tells lines of a module that was stripped
//     canary: {window_ms: 60000, streams_min: 100, fuel_ratio: 1.5}
//     version_header: x-wasm-version
//     limits: {callouts_pending: 1024, log_lines_per_second: 1000}
//   plugins:
//     NAME:                  # PluginConfig.name, or the filter's name
//       fuel: off            # what is not said is as in default
import { readFileSync } from "node:fs";
import { ConfigErrors } from "./config-error.ts";
import type { ConfigProblem } from "./config-error.ts";
import { didYouMean } from "./did-you-mean.ts";
import { describeRaw, isRawMap } from "./raw-words.ts";
import { TRACE_ALL, type TraceRule, withTraceHeader } from "./trace-rule.ts";
import { defaultWasmPolicy } from "./wasm-policy.ts";
import type {
  CanaryBounds,
  FuelBudgets,
  StandbyPolicy,
  WasmLimits,
  WasmPolicies,
  WasmPolicy,
} from "./wasm-policy.ts";
import { YamlDocument } from "./yaml-document.ts";
import type { RawMap, RawValue } from "./yaml-scalars.ts";

/** Exact in a double, and three months of running. */
const FUEL_MAX = 2 ** 53 - 1;
/** What 32-bit memories have at most: 4 GiB. */
const PAGES_MAX = 65_536;
const LIMIT_MAX = 2 ** 31 - 1;
const TIMING_MAX = 1_000_000;

const fuelFields: Readonly<Record<string, keyof FuelBudgets>> = {
  callback: "callback",
  configure: "configure",
  start: "start",
};

const limitFields: Readonly<Record<string, keyof WasmLimits>> = {
  callouts_pending: "calloutsPending",
  callout_bytes: "calloutBytes",
  log_lines_per_second: "logLinesPerSecond",
  trace_lines_per_second: "traceLinesPerSecond",
  metrics: "metrics",
  body_bytes: "bodyBytes",
  header_bytes: "headerBytes",
  stream_properties: "streamProperties",
  file_bytes: "fileBytes",
  open_files: "openFiles",
  shadow_bytes: "shadowBytes",
};

const canaryFields: Readonly<Record<string, keyof CanaryBounds>> = {
  window_ms: "windowMs",
  streams_min: "streamsMin",
  stops_percent: "stopsPercent",
  errors_percent: "errorsPercent",
  latency_ratio: "latencyRatio",
  fuel_ratio: "fuelRatio",
};
/** Those that are no whole numbers. */
const canaryRatios: ReadonlySet<string> = new Set([
  "stops_percent",
  "errors_percent",
  "latency_ratio",
  "fuel_ratio",
]);
const RATIO_MAX = 1000;
/** RFC 9110, 5.6.2, in lower case. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

type Path = readonly string[];

/** Throws ConfigErrors with all that is wrong. */
export function readWasmPolicies(file: string): WasmPolicies {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message: reason } = error as NodeJS.ErrnoException;
    const message = `cannot be read: ${code === "ENOENT" ? "no such file" : reason}`;
    throw new ConfigErrors([{ file, line: 0, column: 0, path: "", message }]);
  }
  return parseWasmPolicies(text, file);
}

export function parseWasmPolicies(text: string, file: string): WasmPolicies {
  const document = new YamlDocument(text, "yaml");
  const { value, problems } = document.read();
  if (problems.length > 0) {
    throw new ConfigErrors(problems.map((problem) => ({ file, path: "", ...problem })));
  }
  const reader = new PolicyReader(file, document);
  const policies = reader.read(value);
  if (reader.problems.length > 0) throw new ConfigErrors(reader.problems);
  return policies;
}

class PolicyReader {
  readonly problems: ConfigProblem[];
  readonly #file: string;
  readonly #document: YamlDocument;

  constructor(file: string, document: YamlDocument) {
    this.problems = [];
    this.#file = file;
    this.#document = document;
  }

  read(value: RawValue): WasmPolicies {
    const root = this.#map(value ?? new Map(), [], ["default", "plugins"]);
    const first = root.get("default");
    const byDefault =
      first === undefined ? defaultWasmPolicy : this.#policy(first, ["default"], defaultWasmPolicy);
    const byPlugin = new Map<string, WasmPolicy>();
    const plugins = root.get("plugins");
    if (plugins === undefined) return { byDefault, byPlugin };
    for (const [name, policy] of this.#map(plugins, ["plugins"], null)) {
      byPlugin.set(name, this.#policy(policy, ["plugins", name], byDefault));
    }
    return { byDefault, byPlugin };
  }

  #policy(value: RawValue, path: Path, base: WasmPolicy): WasmPolicy {
    const map = this.#map(value, path, [
      "fuel",
      "callback_time_ms",
      "memory_pages",
      "start_time_ms",
      "live_start_time_ms",
      "standby",
      "files",
      "trace",
      "timing",
      "debug_file",
      "canary",
      "version_header",
      "limits",
    ]);
    const pages = map.get("memory_pages");
    return {
      fuel: this.#fuel(map.get("fuel"), [...path, "fuel"], base.fuel),
      callbackTimeMs: this.#time(
        map.get("callback_time_ms"),
        [...path, "callback_time_ms"],
        base.callbackTimeMs,
      ),
      memoryPagesMax:
        pages === undefined
          ? base.memoryPagesMax
          : this.#number(pages, [...path, "memory_pages"], PAGES_MAX, base.memoryPagesMax),
      startTimeMs: this.#time(
        map.get("start_time_ms"),
        [...path, "start_time_ms"],
        base.startTimeMs,
      ),
      liveStartTimeMs: this.#time(
        map.get("live_start_time_ms"),
        [...path, "live_start_time_ms"],
        base.liveStartTimeMs,
      ),
      standby: this.#standby(map.get("standby"), [...path, "standby"], base.standby),
      hasFiles: this.#switch(map.get("files"), [...path, "files"], base.hasFiles),
      trace: this.#trace(map.get("trace"), [...path, "trace"], base.trace),
      timeEvery: this.#timing(map.get("timing"), [...path, "timing"], base.timeEvery),
      debugFile: this.#path(map.get("debug_file"), [...path, "debug_file"], base.debugFile),
      canary: this.#canary(map.get("canary"), [...path, "canary"], base.canary),
      versionHeader: this.#header(
        map.get("version_header"),
        [...path, "version_header"],
        base.versionHeader,
      ),
      limits: this.#limits(map.get("limits"), [...path, "limits"], base.limits),
    };
  }

  /** YAML reads `off` as false, and JSON knows the word only as a string. */
  #fuel(value: RawValue | undefined, path: Path, base: FuelBudgets | null): FuelBudgets | null {
    if (value === undefined) return base;
    if (value === false || value === "off") return null;
    const budgets = { ...(base ?? (defaultWasmPolicy.fuel as FuelBudgets)) };
    if (value === true || value === "on") return budgets;
    if (!isRawMap(value)) {
      const expected = "expected off, on, or a map of callback, configure and start";
      this.#wrong(path, `found ${describeRaw(value)}, ${expected}`);
      return base;
    }
    for (const [name, raw] of this.#map(value, path, Object.keys(fuelFields))) {
      const field = fuelFields[name];
      if (field !== undefined) {
        budgets[field] = this.#number(raw, [...path, name], FUEL_MAX, budgets[field]);
      }
    }
    return budgets;
  }

  #time(value: RawValue | undefined, path: Path, base: number | null): number | null {
    if (value === undefined) return base;
    if (value === false || value === "off") return null;
    return this.#number(value, path, LIMIT_MAX, base ?? 1, ", or off");
  }

  #standby(value: RawValue | undefined, path: Path, base: StandbyPolicy): StandbyPolicy {
    if (value === undefined) return base;
    if (value === true || value === "on") return "on";
    if (value === false || value === "off") return "off";
    if (value === "always") return "always";
    this.#wrong(path, `found ${describeRaw(value)}, expected on, off or always`);
    return base;
  }

  #switch(value: RawValue | undefined, path: Path, base: boolean): boolean {
    if (value === undefined) return base;
    if (value === true || value === "on") return true;
    if (value === false || value === "off") return false;
    this.#wrong(path, `found ${describeRaw(value)}, expected on or off`);
    return base;
  }

  #trace(value: RawValue | undefined, path: Path, base: TraceRule | null): TraceRule | null {
    if (value === undefined) return base;
    if (value === true || value === "on") return TRACE_ALL;
    if (value === false || value === "off") return null;
    if (!isRawMap(value)) {
      const orElse = ", on, off, or a map of every and header";
      return { ...TRACE_ALL, every: this.#number(value, path, LIMIT_MAX, 1, orElse) };
    }
    const map = this.#map(value, path, ["every", "header"]);
    const every = map.get("every");
    const rule =
      every === undefined
        ? TRACE_ALL
        : { ...TRACE_ALL, every: this.#number(every, [...path, "every"], LIMIT_MAX, 1) };
    const header = map.get("header");
    if (header === undefined) return rule;
    const made = withTraceHeader(rule, typeof header === "string" ? header : "");
    if (typeof made !== "string") return made;
    this.#wrong([...path, "header"], made);
    return rule;
  }

  #timing(value: RawValue | undefined, path: Path, base: number): number {
    if (value === undefined) return base;
    if (value === true || value === "on") return defaultWasmPolicy.timeEvery;
    if (value === false || value === "off") return 0;
    return this.#number(value, path, TIMING_MAX, base, ", on or off");
  }

  #path(value: RawValue | undefined, path: Path, base: string): string {
    if (value === undefined) return base;
    if (typeof value === "string" && value !== "") return value;
    this.#wrong(path, `found ${describeRaw(value)}, expected the path of a file`);
    return base;
  }

  #canary(value: RawValue | undefined, path: Path, base: CanaryBounds): CanaryBounds {
    if (value === undefined) return base;
    const bounds = { ...base };
    for (const [name, raw] of this.#map(value, path, Object.keys(canaryFields))) {
      const field = canaryFields[name];
      if (field === undefined) continue;
      bounds[field] = canaryRatios.has(name)
        ? this.#ratio(raw, [...path, name], bounds[field])
        : this.#number(raw, [...path, name], LIMIT_MAX, bounds[field]);
    }
    return bounds;
  }

  #ratio(raw: RawValue, path: Path, fallback: number): number {
    if (typeof raw === "number" && raw >= 0 && raw <= RATIO_MAX) return raw;
    this.#wrong(path, `found ${describeRaw(raw)}, expected a number from 0 to ${RATIO_MAX}`);
    return fallback;
  }

  #header(value: RawValue | undefined, path: Path, base: string): string {
    if (value === undefined) return base;
    if (value === false || value === "off") return "";
    const name = typeof value === "string" ? value.toLowerCase() : "";
    if (HEADER_NAME.test(name)) return name;
    this.#wrong(path, `found ${describeRaw(value)}, expected the name of a header`);
    return base;
  }

  #limits(value: RawValue | undefined, path: Path, base: WasmLimits): WasmLimits {
    if (value === undefined) return base;
    const limits = { ...base };
    for (const [name, raw] of this.#map(value, path, Object.keys(limitFields))) {
      const field = limitFields[name];
      if (field !== undefined) {
        limits[field] = this.#number(raw, [...path, name], LIMIT_MAX, limits[field]);
      }
    }
    return limits;
  }

  /** `known` null: any key. Unknown ones are told. */
  #map(value: RawValue, path: Path, known: readonly string[] | null): RawMap {
    if (!isRawMap(value)) {
      this.#wrong(path, `found ${describeRaw(value)}, expected a map`);
      return new Map();
    }
    for (const key of value.keys()) {
      if (known === null || known.includes(key)) continue;
      const names = `expected ${known.join(", ")}`;
      this.#wrong([...path, key], `unknown field${didYouMean(key, known)}, ${names}`, true);
    }
    return value;
  }

  /** `orElse`: what else the field takes. */
  #number(raw: RawValue, path: Path, max: number, fallback: number, orElse = ""): number {
    // Above 32 bits the YAML reader leaves numbers as text.
    const value = typeof raw === "string" && /^\d{1,16}$/.test(raw) ? Number(raw) : raw;
    const isGood = typeof value === "number" && value >= 1 && value <= max;
    if (isGood) return value;
    const expected = `a whole number from 1 to ${max}${orElse}`;
    this.#wrong(path, `found ${describeRaw(raw)}, expected ${expected}`);
    return fallback;
  }

  #wrong(path: Path, message: string, atKey = false): void {
    const { line, column } = this.#document.locate(path, atKey);
    this.problems.push({ file: this.#file, line, column, path: path.join("."), message });
  }
}
