// Stats of the process as a whole, named like Envoy's and made at start: server/ counts and sets
// them in the main thread. Those that stand at 0 say so truthfully (no hot restart).
import type { Counter, Gauge, Histogram, StatsStore } from "./store.ts";

/** server.state's values. */
export const ServerState = {
  Live: 0,
  Draining: 1,
  PreInitializing: 2,
  Initializing: 3,
} as const;
export type ServerState = (typeof ServerState)[keyof typeof ServerState];

export interface ServerStatsOptions {
  readonly concurrency: number;
  /** First 6 hex digits of the build's commit as a number; 0 when it is not known. */
  readonly version: number;
}

/** What update() reads; the caller gathers it. */
export interface ServerFacts {
  readonly state: ServerState;
  readonly uptimeSeconds: number;
  /** Downstream connections of all workers. */
  readonly totalConnections: number;
  /** Bytes, as process.memoryUsage() says. */
  readonly memory: {
    readonly rss: number;
    readonly heapTotal: number;
    readonly heapUsed: number;
    readonly external: number;
  };
  /** Null = there is no certificate. */
  readonly daysUntilCertificateExpiry: number | null;
  /** Null = there is no OCSP response. */
  readonly secondsUntilOcspExpiry: number | null;
}

/** Envoy's "no certificate": the largest 32-bit number. */
const NEVER_DAYS = 0xffff_ffff;

export class ServerStats {
  readonly server: Counters<(typeof serverCounters)[number]>;
  readonly clusterManager: Counters<(typeof clusterManagerCounters)[number]>;
  readonly clusterManagerGauges: Gauges<(typeof clusterManagerGauges)[number]>;
  readonly listenerManager: Counters<(typeof listenerManagerCounters)[number]>;
  readonly listenerManagerGauges: Gauges<(typeof listenerManagerGauges)[number]>;
  readonly runtime: Counters<(typeof runtimeCounters)[number]>;
  readonly runtimeGauges: Gauges<(typeof runtimeGauges)[number]>;
  /** Loop stalls seen by the main thread's watchdog, of all workers together. */
  readonly workersWatchdog: Counters<(typeof watchdogCounters)[number]>;
  readonly mainThreadWatchdog: Counters<(typeof watchdogCounters)[number]>;
  /** Milliseconds from start to the first LIVE; recorded once. */
  readonly initializationTimeMs: Histogram;
  readonly #gauges: Gauges<(typeof serverGauges)[number]>;

  constructor(store: StatsStore, options: ServerStatsOptions) {
    this.server = counters(store, "server.", serverCounters);
    this.clusterManager = counters(store, "cluster_manager.", clusterManagerCounters);
    this.clusterManagerGauges = gauges(store, "cluster_manager.", clusterManagerGauges);
    this.listenerManager = counters(store, "listener_manager.", listenerManagerCounters);
    this.listenerManagerGauges = gauges(store, "listener_manager.", listenerManagerGauges);
    this.runtime = counters(store, "runtime.", runtimeCounters);
    this.runtimeGauges = gauges(store, "runtime.", runtimeGauges);
    this.workersWatchdog = counters(store, "workers.", watchdogCounters);
    this.mainThreadWatchdog = counters(store, "main_thread.", watchdogCounters);
    this.initializationTimeMs = store.histogram("server.initialization_time_ms");
    this.#gauges = gauges(store, "server.", serverGauges);
    this.#gauges.concurrency.set(options.concurrency);
    this.#gauges.version.set(options.version);
    this.#gauges.state.set(ServerState.PreInitializing);
    this.#gauges.days_until_first_cert_expiring.set(NEVER_DAYS);
  }

  /** How many processes of this base id there were before. */
  setEpoch(epoch: number): void {
    this.#gauges.hot_restart_epoch.set(epoch);
    this.#gauges.hot_restart_generation.set(epoch + 1);
  }

  /** Connections of the process that this one took over from; 0 when it has ended. */
  setParentConnections(count: number): void {
    this.#gauges.parent_connections.set(count);
  }

  /** Sets the gauges that follow the process; called at each flush and before a scrape. */
  update(facts: ServerFacts): void {
    const g = this.#gauges;
    g.state.set(facts.state);
    g.live.set(facts.state === ServerState.Live ? 1 : 0);
    g.uptime.set(Math.floor(facts.uptimeSeconds));
    g.total_connections.set(facts.totalConnections);
    g.memory_allocated.set(facts.memory.heapUsed + facts.memory.external);
    g.memory_heap_size.set(facts.memory.heapTotal + facts.memory.external);
    g.memory_physical_size.set(facts.memory.rss);
    g.days_until_first_cert_expiring.set(facts.daysUntilCertificateExpiry ?? NEVER_DAYS);
    g.seconds_until_first_ocsp_response_expiring.set(facts.secondsUntilOcspExpiry ?? 0);
  }
}

const serverCounters = [
  "debug_assertion_failures",
  "dropped_stat_flushes",
  "dynamic_unknown_fields",
  "envoy_bug_failures",
  "envoy_notifications",
  "static_unknown_fields",
  "wip_protos",
] as const;

const serverGauges = [
  "compilation_settings.fips_mode",
  "concurrency",
  "days_until_first_cert_expiring",
  "hot_restart_epoch",
  "hot_restart_generation",
  "live",
  "memory_allocated",
  "memory_heap_size",
  "memory_physical_size",
  "parent_connections",
  "seconds_until_first_ocsp_response_expiring",
  "state",
  "stats_recent_lookups",
  "total_connections",
  "uptime",
  "version",
] as const;

const clusterManagerCounters = [
  "cluster_added",
  "cluster_modified",
  "cluster_removed",
  "cluster_updated",
  "cluster_updated_via_merge",
  "update_merge_cancelled",
  "update_out_of_merge_window",
] as const;

const clusterManagerGauges = ["active_clusters", "warming_clusters"] as const;

const listenerManagerCounters = [
  "listener_added",
  "listener_create_failure",
  "listener_create_success",
  "listener_in_place_updated",
  "listener_modified",
  "listener_removed",
  "listener_stopped",
] as const;

const listenerManagerGauges = [
  "total_filter_chains_draining",
  "total_listeners_active",
  "total_listeners_draining",
  "total_listeners_warming",
  "workers_started",
] as const;

const runtimeCounters = [
  "deprecated_feature_use",
  "load_error",
  "load_success",
  "override_dir_exists",
  "override_dir_not_exists",
] as const;

const runtimeGauges = [
  "admin_overrides_active",
  "deprecated_feature_seen_since_process_start",
  "num_keys",
  "num_layers",
] as const;

const watchdogCounters = ["watchdog_mega_miss", "watchdog_miss"] as const;

type Counters<Name extends string> = { readonly [K in Name]: Counter };
type Gauges<Name extends string> = { readonly [K in Name]: Gauge };

function counters<Name extends string>(
  store: StatsStore,
  prefix: string,
  names: readonly Name[],
): Counters<Name> {
  const entries = names.map((name) => [name, store.counter(prefix + name)] as const);
  return Object.fromEntries(entries) as Counters<Name>;
}

function gauges<Name extends string>(
  store: StatsStore,
  prefix: string,
  names: readonly Name[],
): Gauges<Name> {
  const entries = names.map((name) => [name, store.gauge(prefix + name)] as const);
  return Object.fromEntries(entries) as Gauges<Name>;
}
