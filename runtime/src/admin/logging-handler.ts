// /logging: shows and changes the levels of the process log.
import type { LogLevel } from "../core/logger.ts";
import type { AdminDelegate } from "./admin-delegate.ts";
import { textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

/** Index = LogLevel. */
const levels: readonly string[] = ["trace", "debug", "info", "warning", "error", "critical", "off"];

const USAGE =
  "usage: /logging?<name>=<level> (change single level)\n" +
  "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n" +
  "usage: /logging?level=<level> (change all levels)\n" +
  "usage: /logging?group=<group_name>:<level> (change group of loggers)\n" +
  "levels: trace debug info warning error critical off \n";

export function logging(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  const error = changeLevels(request, delegate);
  const loggers = delegate.logLevels().map(([name, level]) => `  ${name}: ${levels[level]}\n`);
  const list = `active loggers:\n${loggers.join("")}\n`;
  return error === null
    ? textResponse(list)
    : textResponse(`error: ${error}\n\n${USAGE}${list}`, 400);
}

/** What is wrong; null when the levels were changed or nothing was asked for. */
function changeLevels(request: AdminRequest, delegate: AdminDelegate): string | null {
  // Forms send their empty fields too.
  const [first, ...others] = request.parameters.filter(([, value]) => value !== "");
  if (first === undefined) return null;
  if (others.length > 0) return "invalid number of parameters";
  const [name, value] = first;
  if (name === "group") return "group parameter requires fine-grain logging to be enabled";
  if (name === "paths") return changePaths(value, delegate);
  if (name === "level") {
    const level = levelOf(value);
    if (level === null) return "unknown logger level";
    delegate.setLogLevel(null, level);
    return null;
  }
  return changePaths(`${name}:${value}`, delegate);
}

/** All of "name:level,..." or, when one of them is wrong, none. */
function changePaths(text: string, delegate: AdminDelegate): string | null {
  const known = new Set(delegate.logLevels().map(([name]) => name));
  const changes: [string, LogLevel][] = [];
  for (const path of text.split(",").filter((part) => part !== "")) {
    const colon = path.indexOf(":");
    const name = colon < 0 ? "" : path.slice(0, colon);
    const value = path.slice(colon + 1);
    if (name === "" || value === "") return "empty logger name or empty logger level";
    const level = levelOf(value);
    if (level === null) return "unknown logger level";
    if (!known.has(name)) return "unknown logger name";
    changes.push([name, level]);
  }
  for (const [name, level] of changes) delegate.setLogLevel(name, level);
  return null;
}

function levelOf(name: string): LogLevel | null {
  const index = levels.indexOf(name);
  return index < 0 ? null : (index as LogLevel);
}
