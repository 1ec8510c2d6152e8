// From a checked Bootstrap message to the snapshot that workers run; called by server/ at start and
// by --mode validate. Everything that the configuration sets and nobody reads is reported by name.
import { hostname, networkInterfaces } from "node:os";
import type { LoadedBootstrap } from "../bootstrap-loader.ts";
import { ConfigErrors, problemsMax } from "../config-error.ts";
import type { ConfigProblem } from "../config-error.ts";
import type { ConfigNode } from "../config-node.ts";
import { ProblemList } from "../problem-list.ts";
import type { AddressConfig, ClusterConfig, NodeConfig, Snapshot } from "../snapshot.ts";
import { readAddress } from "./address-reader.ts";
import { readCluster } from "./cluster-reader.ts";
import { readListener } from "./listener-reader.ts";
import { durationOr, Translation } from "./translation.ts";

/** What the command line adds. */
export interface TranslateOptions {
  readonly version: number;
  readonly serviceNode: string;
  readonly serviceCluster: string;
  readonly serviceZone: string;
  readonly fileFlushIntervalMs: number;
  readonly drainTimeMs: number;
  readonly drainStrategy: "gradual" | "immediate";
  readonly ignoreUnsupported: boolean;
}

export interface AdminConfig {
  readonly address: AddressConfig;
  /** Paths of the admin interface's access logs (Envoy's default format). */
  readonly accessLogPaths: readonly string[];
}

export interface TranslatedBootstrap {
  readonly snapshot: Snapshot;
  /** Null when no admin interface is configured. */
  readonly admin: AdminConfig | null;
  /** Milliseconds between merges of histograms, default 5000. */
  readonly statsFlushIntervalMs: number;
  readonly warnings: readonly ConfigProblem[];
}

/** Throws ConfigErrors with everything that is wrong or not implemented. */
export function translateBootstrap(
  loaded: LoadedBootstrap,
  options: TranslateOptions,
): TranslatedBootstrap {
  const problems = new ProblemList();
  const t = new Translation(problems, { ignoreUnsupported: options.ignoreUnsupported });
  const root = loaded.root;
  const resources = root.node("static_resources");
  const clusters = readClusters(t, resources);
  const clusterNames = new Set(clusters.map((cluster) => cluster.name));
  const listeners = (resources?.nodes("listeners") ?? [])
    .map((node) => readListener(t, node, clusterNames))
    .filter((listener) => listener !== null);
  checkUnique(
    t,
    resources,
    "listeners",
    listeners.map((listener) => listener.name),
  );
  const admin = readAdmin(t, root);
  const node = readNode(root, options);
  const statsFlushIntervalMs = durationOr(root, "stats_flush_interval", 5000);
  acceptWhatTunes(root);
  const unread = loaded.unreadFields();
  throwAll([loaded.errors, problems.errors()], options.ignoreUnsupported ? [] : unread);
  return {
    snapshot: {
      version: options.version,
      listeners,
      clusters,
      plugins: t.plugins,
      node,
      server: {
        fileFlushIntervalMs: options.fileFlushIntervalMs,
        drainTimeMs: options.drainTimeMs,
        drainStrategy: options.drainStrategy,
        hostname: hostname(),
        hostIp: hostIp(),
      },
    },
    admin,
    statsFlushIntervalMs,
    warnings: [...loaded.warnings, ...problems.warnings(), ...unread],
  };
}

function readClusters(t: Translation, resources: ConfigNode | undefined): ClusterConfig[] {
  const nodes = resources?.nodes("clusters") ?? [];
  const clusters = nodes.map((node, index) => readCluster(t, node, index));
  checkUnique(
    t,
    resources,
    "clusters",
    clusters.map((cluster) => cluster.name),
  );
  return clusters;
}

function checkUnique(
  t: Translation,
  resources: ConfigNode | undefined,
  field: string,
  names: readonly string[],
): void {
  const nodes = resources?.nodes(field) ?? [];
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    const node = nodes[index];
    if (seen.has(name) && node !== undefined) {
      t.wrong(node, `duplicate ${field.slice(0, -1)} '${name}' found`, "name");
    }
    seen.add(name);
  }
}

function readAdmin(t: Translation, root: ConfigNode): AdminConfig | null {
  const node = root.node("admin");
  if (node === undefined) return null;
  node.accept("profile_path", "profiles are not written");
  node.accept("ignore_global_conn_limit", "there is no global limit");
  const paths = readAdminLogs(t, node);
  const addressNode = node.node("address");
  const address = addressNode === undefined ? null : readAddress(t, addressNode, "ip");
  return address === null ? null : { address, accessLogPaths: paths };
}

/** access_log_path, and file loggers without a format of their own. */
function readAdminLogs(t: Translation, node: ConfigNode): string[] {
  const paths: string[] = [];
  const path = node.string("access_log_path", "");
  if (path !== "") paths.push(path);
  for (const log of node.nodes("access_log")) {
    log.string("name");
    const typed = log.any("typed_config");
    const type = typed?.typeName ?? "";
    if (type.endsWith(".FileAccessLog")) paths.push(typed?.string("path") ?? "");
    else if (type.endsWith(".StdoutAccessLog")) paths.push("/dev/stdout");
    else if (type.endsWith(".StderrAccessLog")) paths.push("/dev/stderr");
    else {
      typed?.acceptRest("reported as a whole");
      t.unsupported(log, `the access logger ${type} of the admin interface`, "typed_config");
    }
  }
  return paths.filter((p) => p !== "/dev/null");
}

function readNode(root: ConfigNode, options: TranslateOptions): NodeConfig {
  const node = root.node("node");
  const locality = node?.node("locality");
  const config: NodeConfig = {
    id: options.serviceNode || (node?.string("id") ?? ""),
    cluster: options.serviceCluster || (node?.string("cluster") ?? ""),
    zone: options.serviceZone || (locality?.string("zone") ?? ""),
    region: locality?.string("region") ?? "",
    subZone: locality?.string("sub_zone") ?? "",
    serialized: node?.serialize() ?? new Uint8Array(0),
  };
  locality?.acceptRest("handed to guests as it is");
  node?.acceptRest("handed to guests as it is");
  return config;
}

/** Fields that only tune how Envoy does what we do in another way, or that are about absent things. */
function acceptWhatTunes(root: ConfigNode): void {
  root.accept("stats_flush_on_admin", "histograms are merged when they are asked for");
  root.accept("deferred_stat_options", "stats are made when they are first needed");
  root.accept("enable_dispatcher_stats", "there is no dispatcher");
  root.accept("default_socket_interface", "the engine is Headgate's own");
  root.accept("memory_allocator_manager", "memory is V8's");
  root.accept("default_regex_engine", "RE2 syntax is the only one");
  root.accept("perf_tracing_file_path", "Envoy's own tracing");
}

/**
 * What every stage found, in one error. A later stage's words about a message of which an earlier one
 * already refused a part are left out: they would only follow from it.
 */
function throwAll(
  stages: readonly (ConfigErrors | null)[],
  unread: readonly ConfigProblem[],
): void {
  const all: ConfigProblem[] = [];
  let omitted = 0;
  for (const errors of stages) {
    if (errors === null) continue;
    all.push(
      ...errors.problems.filter((problem) => !all.some((known) => isInside(known, problem))),
    );
    omitted += errors.omitted;
  }
  all.push(...unread);
  if (all.length === 0) return;
  all.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
  throw new ConfigErrors(
    all.slice(0, problemsMax),
    omitted + Math.max(0, all.length - problemsMax),
  );
}

/** `known` is about the same field as `problem`, or about a part of it. */
function isInside(known: ConfigProblem, problem: ConfigProblem): boolean {
  return known.file === problem.file && known.path.startsWith(problem.path);
}

/** This machine's first address that is not loopback: IPv4 before IPv6. */
function hostIp(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter((address) => !address.internal);
  const first = outside.find((address) => address.family === "IPv4") ?? outside[0];
  return first?.address ?? "127.0.0.1";
}
