// Composes a connection manager from its configuration: routes, filters, loggers, rules, stats.
import type { HcmConfig, ListenerConfig, Snapshot } from "../config/snapshot.ts";
import { HcmFactory } from "../hcm/connection-manager.ts";
import type { DrainDecision } from "../hcm/hcm-context.ts";
import { createHttp1Stats, HcmStats } from "../hcm/hcm-stats.ts";
import { LocalReplyWriter } from "../hcm/local-reply.ts";
import { RequestNormalizer } from "../hcm/request-normalizer.ts";
import { RequestSanitizer } from "../hcm/request-sanitizer.ts";
import { ResponseFinisher } from "../hcm/response-finisher.ts";
import { UpgradePolicy } from "../hcm/upgrade-policy.ts";
import { RouteTable } from "../router/route-table.ts";
import { RouterStats } from "../router/router-stats.ts";
import { createChainLoggers } from "./chain-loggers.ts";
import { FilterFactory, noVariants } from "./filter-factory.ts";
import type { FilterVariantHandles } from "./filter-factory.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import type { RouteSlots } from "./route-slots.ts";
import type { WorkerContext } from "./worker-version.ts";

/** Throws when a file of an access log cannot be opened. */
export function createHcmFactory(
  context: WorkerContext,
  snapshot: Snapshot,
  listener: ListenerConfig,
  config: HcmConfig,
  /** By index. */
  plugins: ReadonlyMap<number, PluginHandle>,
  routeSlots: RouteSlots,
  drain: DrainDecision,
): HcmFactory {
  const { clock, timers, random, runtime, stats, http1, clusterManager } = context;
  const { hostname } = snapshot.server;
  const { id, cluster } = snapshot.node;
  const identity = { id, cluster, hostIp: snapshot.server.hostIp };
  const slot = config.rds === null ? null : (routeSlots.get(config.rds.key) ?? null);
  return new HcmFactory({
    config,
    clock,
    timers,
    random,
    http1,
    http1Stats: createHttp1Stats(stats),
    drain,
    overload: context.overload,
    stats: new HcmStats(stats, config.statPrefix, listener.statPrefix),
    routes: slot ?? new RouteTable(config.routes, { clock, hostname, runtime }),
    filters: context.surroundings.wrapFilters(
      new FilterFactory(config.httpFilters, slot ?? variantsOf(config, plugins), plugins),
    ),
    accessLoggers: createChainLoggers(context, snapshot, config.accessLogs, plugins),
    router: {
      clusterManager,
      clock,
      timers,
      random,
      config: config.router,
      stats: new RouterStats(stats, config.statPrefix),
      upstreamFilters: context.surroundings.wrapUpstreamFilters(
        config.router.upstreamFilters === undefined
          ? null
          : new FilterFactory(config.router.upstreamFilters, noVariants, plugins),
      ),
      bufferBytesMax: listener.perConnectionBufferBytesMax,
    },
    upgrades: new UpgradePolicy(config.upgrades),
    normalizer: new RequestNormalizer(config),
    sanitizer: new RequestSanitizer(config, identity, random, slot ?? config.routes),
    finisher: new ResponseFinisher(config, clock),
    localReplies: new LocalReplyWriter(config.localReply, { clock, random, runtime, hostname }),
    bufferBytesMax: listener.perConnectionBufferBytesMax,
    nextStreamId: context.nextConnectionId,
  });
}

/** Of routes that stand in the configuration. */
function variantsOf(
  { variants = [] }: HcmConfig,
  plugins: ReadonlyMap<number, PluginHandle>,
): FilterVariantHandles {
  return { variants: variants.map(({ plugin }) => plugins.get(plugin) as PluginHandle) };
}
