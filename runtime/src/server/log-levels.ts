// Names of log levels and components, as flags and /logging have them; no logger is needed to read
// them.
import type { LogLevel } from "../core/logger.ts";

export const DEFAULT_PROCESS_LOG_FORMAT = "[%Y-%m-%d %T.%e][%t][%l][%n] %v";

/** By LogLevel. */
export const levelNames: readonly string[] = [
  "trace",
  "debug",
  "info",
  "warning",
  "error",
  "critical",
  "off",
];

/** Envoy's component names, for /logging and --component-log-level. */
export const logComponents: readonly string[] = [
  "admin",
  "client",
  "config",
  "conn_handler",
  "connection",
  "dns",
  "file",
  "filter",
  "http",
  "main",
  "misc",
  "pool",
  "router",
  "runtime",
  "stats",
  "upstream",
  "wasm",
];

/** The level of that name ("warn" too), null when there is none. */
export function logLevelOf(name: string): LogLevel | null {
  const index = levelNames.indexOf(name === "warn" ? "warning" : name);
  return index < 0 ? null : (index as LogLevel);
}

export function logLevelName(level: LogLevel): string {
  return levelNames[level] as string;
}

/** "upstream:debug,config:trace" to levels, or what is wrong. */
export function parseComponentLevels(text: string): Map<string, LogLevel> | string {
  const levels = new Map<string, LogLevel>();
  for (const part of text.split(",").filter((p) => p !== "")) {
    const [component = "", name = ""] = part.split(":");
    const level = logLevelOf(name);
    if (level === null) return `unknown log level "${name}" of component "${component}"`;
    if (!logComponents.includes(component)) return `unknown log component "${component}"`;
    levels.set(component, level);
  }
  return levels;
}
