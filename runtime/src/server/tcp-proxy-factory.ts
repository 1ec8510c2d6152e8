// Composes a TCP proxy from its configuration: clusters, loggers, stats.
import type { Snapshot, TcpProxyConfig } from "../config/snapshot.ts";
import { TunnelOpener } from "../tcp-proxy/http-tunnel.ts";
import { ProxyTlvs } from "../tcp-proxy/proxy-tlvs.ts";
import { TcpProxyFactory } from "../tcp-proxy/tcp-proxy.ts";
import { TcpProxyStats } from "../tcp-proxy/tcp-proxy-stats.ts";
import { createChainLoggers } from "./chain-loggers.ts";
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
  const { clock, timers, random, stats, clusterManager } = context;
  const { hostname } = snapshot.server;
  const { proxyTlvs, tunneling } = config;
  return new TcpProxyFactory({
    config,
    clock,
    timers,
    random,
    clusterManager,
    stats: new TcpProxyStats(stats, config.statPrefix),
    tunnels: tunneling === null ? null : new TunnelOpener(tunneling, hostname, clock),
    proxyTlvs: proxyTlvs === null ? null : new ProxyTlvs(proxyTlvs, hostname, clock),
    accessLoggers: createChainLoggers(context, snapshot, config.accessLogs, plugins),
    nextStreamId: context.nextConnectionId,
  });
}
