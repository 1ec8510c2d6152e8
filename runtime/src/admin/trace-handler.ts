// /wasm/trace: shows whose calls are logged, and switches that.
import { LogLevel } from "../core/logger.ts";
import type { AdminDelegate } from "./admin-delegate.ts";
import { parameter, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

const USAGE =
  "usage: /wasm/trace?plugin=<name> (log all of its calls)\n" +
  "usage: /wasm/trace?plugin=<name>&every=<n> (of one stream in n)\n" +
  "usage: /wasm/trace?plugin=<name>&header=<name[: value]> (of streams whose request has it)\n" +
  "usage: /wasm/trace?plugin=<name>&off (nothing)\n";

const known: ReadonlySet<string> = new Set(["plugin", "every", "header", "off"]);

export function wasmTrace(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  // Forms send their empty fields too.
  const given = request.parameters.some(([name, value]) => value !== "" || name === "off");
  if (given && request.method !== "POST") {
    return textResponse(`Method ${request.method} not allowed, POST required.`, 405);
  }
  const problem = given ? change(request, delegate) : "";
  if (problem !== "") return textResponse(`error: ${problem}\n\n${USAGE}`, 400);
  return textResponse(`${listText(delegate)}${levelNote(delegate)}`);
}

/** What is wrong; "" = done. */
function change(request: AdminRequest, delegate: AdminDelegate): string {
  const unknown = request.parameters.find(([name]) => !known.has(name));
  if (unknown !== undefined) return `unknown parameter ${unknown[0]}`;
  const plugin = parameter(request, "plugin") ?? "";
  if (plugin === "") return "expected the name of a plugin";
  const every = parameter(request, "every") ?? "";
  const header = parameter(request, "header") ?? "";
  if (parameter(request, "off") === undefined) return delegate.traceWasm(plugin, every, header);
  return every === "" && header === ""
    ? delegate.untraceWasm(plugin)
    : "found off beside every or header, expected one of them";
}

function listText(delegate: AdminDelegate): string {
  const traces = delegate.wasmTraces();
  if (traces.length === 0) return "no wasm plugins\n";
  const lines = traces.map(({ plugin, trace, isSwitched }) => {
    return `  ${plugin}: ${trace}${isSwitched ? " (switched here)" : ""}\n`;
  });
  return `traced wasm plugins:\n${lines.join("")}`;
}

/** A switch without effect is worse than none. */
function levelNote(delegate: AdminDelegate): string {
  const level = delegate.logLevels().find(([name]) => name === "wasm")?.[1] ?? LogLevel.Info;
  if (level <= LogLevel.Info) return "";
  return "the logger wasm does not show info: POST /logging?wasm=info shows the trace\n";
}
