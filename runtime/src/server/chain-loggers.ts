// The access loggers of a listener, or of a chain's end: a connection manager or a TCP proxy.
import { createAccessLoggers } from "../access-log/access-logger.ts";
import type { AccessLogConfig, Snapshot } from "../config/snapshot.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import type { WorkerContext } from "./worker-version.ts";

/** Throws when a file of an access log cannot be opened. */
export function createChainLoggers(
  { clock, random, runtime, sinks }: WorkerContext,
  snapshot: Snapshot,
  configs: readonly AccessLogConfig[],
  /** By index. */
  plugins: ReadonlyMap<number, PluginHandle>,
): readonly AccessLogger[] {
  return createAccessLoggers(configs, {
    clock,
    random,
    runtime,
    hostname: snapshot.server.hostname,
    sinks,
    createWasmLogger: (plugin) => (plugins.get(plugin) as PluginHandle).createAccessLogger(),
  });
}
