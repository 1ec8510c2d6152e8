// Composes a TCP proxy from its configuration: clusters, loggers, stats.
import { createAccessLoggers } from "../access-log/access-logger.ts";
import type { Snapshot, TcpProxyConfig } from "../config/snapshot.ts";
import { TunnelOpener } from "../tcp-proxy/http-tunnel.ts";
import { TcpProxyFactory } from "../tcp-proxy/tcp-proxy.ts";
import { TcpProxyStats } from "../tcp-proxy/tcp-proxy-stats.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import type { WorkerContext } from "./worker-version.ts";

/** Throws when a file of an access log cannot be opened. */
export function createTcpProxyFactory(
  context: WorkerContext,
  snapshot: Snapshot,
  config: TcpProxyConfig,
  /** By index. */
  plugins: ReadonlyMap<number, PluginHandle>,
): TcpProxyFactory {
  const { clock, timers, random, runtime, stats, clusterManager, sinks } = context;
  const { hostname } = snapshot.server;
  const { tunneling } = config;
  return new TcpProxyFactory({
    config,
    clock,
    timers,
    random,
    clusterManager,
    stats: new TcpProxyStats(stats, config.statPrefix),
    tunnels: tunneling === null ? null : new TunnelOpener(tunneling, hostname, clock),
    accessLoggers: createAccessLoggers(config.accessLogs, {
      clock,
      random,
      runtime,
      hostname,
      sinks,
      createWasmLogger: (plugin) => (plugins.get(plugin) as PluginHandle).createAccessLogger(),
    }),
    nextStreamId: context.nextConnectionId,
  });
}
