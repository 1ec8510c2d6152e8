// From a checked Bootstrap message to the snapshot that workers run; called by server/ at start and
// by --mode validate. Everything that the configuration sets and nobody reads is reported by name.
import { hostname, networkInterfaces } from "node:os";
import type { LoadedBootstrap } from "../bootstrap-loader.ts";
import type { ConfigProblem } from "../config-error.ts";
import type { ConfigNode } from "../config-node.ts";
import type { FilterCatalogue } from "../filter-catalogue.ts";
import { ProblemList } from "../problem-list.ts";
import { clustersMax, listenersMax } from "../sizes.ts";
import type {
  AddressConfig,
  ConfigSourceConfig,
  NodeConfig,
  ServerConfig,
  Snapshot,
} from "../snapshot.ts";
import { readAdmin } from "./admin-reader.ts";
import { assembleSnapshot } from "./assemble-snapshot.ts";
import type { ClusterResource, ListenerResource, ServiceResource } from "./assemble-snapshot.ts";
import type { AdminConfig } from "./admin-reader.ts";
import { readBindConfig } from "./bind-reader.ts";
import { throwProblems } from "./found-problems.ts";
import { guard } from "./guarded-fields.ts";
import { readNode } from "./node-reader.ts";
import type { ServiceNames } from "./node-reader.ts";
import { readOverload } from "./overload-reader.ts";
import { readConfigSource } from "./config-source-reader.ts";
import { rdsOf } from "./rds-of.ts";
import { readClusters, readListeners } from "./resource-lists.ts";
import type { ClusterNames } from "./route-reader.ts";
import { readRuntime } from "./runtime-reader.ts";
import { readServices } from "./service-reader.ts";
import { StaticSecrets } from "./secret-need.ts";
import type { SecretNeed } from "./secret-need.ts";
import { durationOr, Translation } from "./translation.ts";
import { readWatchdogs } from "./watchdog-reader.ts";
import type { WatchdogsConfig } from "./watchdog-reader.ts";

const LISTENER_LIMIT = /^envoy\.resource_limits\.listener\.(.+)\.connection_limit$/;

export type { AdminConfig } from "./admin-reader.ts";

/** What the command line adds. */
export interface TranslateOptions extends ServiceNames {
  readonly version: number;
  readonly fileFlushIntervalMs: number;
  readonly drainTimeMs: number;
  readonly drainStrategy: "gradual" | "immediate";
  readonly ignoreUnsupported: boolean;
  /** Filters that come with the program. Default: what is installed. */
  readonly catalogue?: FilterCatalogue;
  readonly wasmStructAsJson?: boolean;
}

export interface TranslatedBootstrap {
  /** Of the static resources alone. */
  readonly snapshot: Snapshot;
  readonly clusters: readonly ClusterResource[];
  readonly listeners: readonly ListenerResource[];
  readonly services: readonly ServiceResource[];
  /** Where listeners and clusters come from beside the static ones; null = from nowhere. */
  readonly dynamic: DynamicSources;
  /** For clusters without an upstream_bind_config of their own. */
  readonly bindAddresses: readonly AddressConfig[] | null;
  /** For listeners and clusters that come later, too. */
  readonly staticSecrets: StaticSecrets;
  readonly node: NodeConfig;
  readonly server: ServerConfig;
  readonly runtime: Snapshot["runtime"];
  readonly overload: Snapshot["overload"];
  /** Null when no admin interface is configured. */
  readonly admin: AdminConfig | null;
  /** Milliseconds between merges of histograms, default 5000. */
  readonly statsFlushIntervalMs: number;
  readonly watchdogs: WatchdogsConfig;
  readonly warnings: readonly ConfigProblem[];
}

export interface DynamicSources {
  readonly lds: ConfigSourceConfig | null;
  readonly cds: ConfigSourceConfig | null;
}

/** Throws ConfigErrors with everything that is wrong or not implemented. */
export function translateBootstrap(
  loaded: LoadedBootstrap,
  options: TranslateOptions,
): TranslatedBootstrap {
  const problems = new ProblemList();
  const root = loaded.root;
  const resources = root.node("static_resources");
  const staticSecrets = new StaticSecrets(resources?.nodes("secrets") ?? []);
  const t = new Translation(problems, { ...options, staticSecrets });
  staticSecrets.check(t);
  guard(t, root);
  acceptWhatTunes(root);
  const clusters = readClusters(t, resources?.nodes("clusters") ?? []);
  checkCount(t, resources, "clusters", clusters.length, clustersMax);
  const dynamic = readDynamic(t, root);
  const bindAddresses = readBindConfig(t, root.node("cluster_manager"), "Bootstrap");
  const names = clusterNames(loaded, clusters);
  const listeners = readListeners(t, resources?.nodes("listeners") ?? [], names);
  checkCount(t, resources, "listeners", listeners.length, listenersMax);
  const overload = readOverload(t, root);
  const services = readServices(t, root);
  const admin = readAdmin(t, root);
  const node = readNode(loaded, options);
  const runtime = readRuntime(t, root.node("layered_runtime"));
  warnOfLimits(t, resources, runtime, listeners);
  checkNode(t, root, node, { dynamic, clusters, listeners });
  const statsFlushIntervalMs = readStatsFlush(t, root);
  const watchdogs = readWatchdogs(root);
  staticSecrets.acceptUnused();
  const unread = loaded.unreadFields();
  throwProblems([loaded.errors, problems.errors()], options.ignoreUnsupported ? [] : unread);
  const server = {
    fileFlushIntervalMs: options.fileFlushIntervalMs,
    drainTimeMs: options.drainTimeMs,
    drainStrategy: options.drainStrategy,
    hostname: hostname(),
    hostIp: hostIp(),
  };
  const { version } = options;
  return {
    snapshot: assembleSnapshot({
      version,
      listeners,
      clusters,
      services,
      routeTables: [],
      secrets: [],
      bindAddresses,
      node,
      server,
      runtime,
      overload,
    }),
    clusters,
    listeners,
    services,
    dynamic,
    bindAddresses,
    staticSecrets,
    node,
    server,
    runtime,
    overload,
    admin,
    statsFlushIntervalMs,
    watchdogs,
    warnings: [...loaded.warnings, ...problems.warnings(), ...unread],
  };
}

/** Fields that only tune how Envoy does what we do in another way, or about absent things. */
function acceptWhatTunes(root: ConfigNode): void {
  root.accept("stats_flush_on_admin", "histograms are merged when they are asked for as well");
  root.accept("deferred_stat_options", "stats are made when they are first needed");
  root.accept("enable_dispatcher_stats", "there is no dispatcher");
  root.accept("default_socket_interface", "the engine is Headgate's own");
  root.accept("memory_allocator_manager", "memory is V8's");
  root.accept("default_regex_engine", "RE2 syntax is the only one");
  root.accept("perf_tracing_file_path", "Envoy's own tracing");
  // Empty ones ask for nothing; what stands in them is reported by name.
  for (const name of ["cluster_manager", "dynamic_resources", "stats_config"]) {
    root.node(name);
  }
}

function readDynamic(t: Translation, root: ConfigNode): DynamicSources {
  const node = root.node("dynamic_resources");
  if (node === undefined) return { lds: null, cds: null };
  return {
    lds: readConfigSource(t, node, "lds_config"),
    cds: readConfigSource(t, node, "cds_config"),
  };
}

/** As Envoy: who asks for resources must say who he is, even if he asks a file. */
function checkNode(
  t: Translation,
  root: ConfigNode,
  node: NodeConfig,
  { dynamic, clusters, listeners }: Pick<TranslatedBootstrap, "dynamic" | "clusters" | "listeners">,
): void {
  const hasSource =
    dynamic.lds !== null ||
    dynamic.cds !== null ||
    clusters.some(({ config }) => config.eds !== null) ||
    listeners.some(({ config }) => rdsOf(config).length > 0) ||
    [...clusters, ...listeners].some(({ secrets }) => secrets.some(comesBySds));
  if (!hasSource || (node.id !== "" && node.cluster !== "")) return;
  const hint = "set them in node, or by --service-node and --service-cluster";
  t.wrong(root, `not set: id and cluster are required with xDS: ${hint}`, "node");
}

function comesBySds({ origin }: SecretNeed): boolean {
  return origin.kind === "sds";
}

function readStatsFlush(t: Translation, root: ConfigNode): number {
  if (root.has("stats_flush_on_admin") && root.has("stats_flush_interval")) {
    const message = "only one of stats_flush_interval and stats_flush_on_admin can be set";
    t.wrong(root, message, "stats_flush_on_admin");
  }
  return durationOr(root, "stats_flush_interval", 5000);
}

/** Null when some names could not be read: then nothing is known about a missing name. */
function clusterNames(loaded: LoadedBootstrap, clusters: readonly ClusterResource[]): ClusterNames {
  const unreadable = /^static_resources(?:\.clusters(?:\[\d+\](?:\.name)?)?)?$/;
  const problems = loaded.errors?.problems ?? [];
  if (problems.some((problem) => unreadable.test(problem.path))) return null;
  return new Set(clusters.map(({ config }) => config.name));
}

/** A limit for nobody is probably a name that was changed in one place only. */
function warnOfLimits(
  t: Translation,
  resources: ConfigNode | undefined,
  runtime: Snapshot["runtime"],
  listeners: readonly ListenerResource[],
): void {
  if (resources === undefined) return;
  const names = new Set(listeners.map(({ config }) => config.name));
  const keys = new Set(runtime.flatMap((layer) => [...layer.values.keys()]));
  for (const key of keys) {
    const name = LISTENER_LIMIT.exec(key)?.[1];
    if (name === undefined || names.has(name)) continue;
    const message = `the runtime limits connections of ${name}, and no listener has that name`;
    t.warn(resources, message, "listeners");
  }
}

function checkCount(
  t: Translation,
  resources: ConfigNode | undefined,
  field: string,
  count: number,
  most: number,
): void {
  if (resources === undefined || count <= most) return;
  t.wrong(resources, `found ${count} ${field}, expected at most ${most}`, field);
}

/** This machine's first address that is not loopback: IPv4 before IPv6. */
function hostIp(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter((address) => !address.internal);
  const first = outside.find((address) => address.family === "IPv4") ?? outside[0];
  return first?.address ?? "127.0.0.1";
}
