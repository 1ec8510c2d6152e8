// What the main thread itself contributes to stats: the gauges of clusters and of the server, from
// a store and a small cluster manager of its own.
import { Http1ClientConnection } from "../codec/http1/client-connection.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { performance } from "node:perf_hooks";
import { Clock } from "../core/clock.ts";
import { SystemRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import { openBreakerMemory } from "../upstream/circuit-breaker.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import { ServerState, ServerStats } from "../stats/server-stats.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";
import type { ServerOptions } from "./options.ts";
import { RemoteCodeStats, RemoteFetcher } from "./remote-code.ts";
import { CertificateBook } from "./certificate-book.ts";
import { VERSION } from "./version.ts";

/** Names of states as /ready and /server_info have them, to the gauge's values. */
type StateName = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

const stateValues: Readonly<Record<StateName, ServerState>> = {
  LIVE: ServerState.Live,
  DRAINING: ServerState.Draining,
  PRE_INITIALIZING: ServerState.PreInitializing,
  INITIALIZING: ServerState.Initializing,
};

export class MainStats {
  readonly server: ServerStats;
  readonly clusterManager: ClusterManager;
  readonly #upstream: UpstreamContext;
  /** Modules that were fetched, by their digests. */
  readonly #fetchedCode: Map<string, Buffer>;
  readonly remoteCode: RemoteCodeStats;
  readonly certificates: CertificateBook;
  /** What the engine of the workers, too, can do. */
  readonly canReusePort: boolean;
  readonly #stats: StatsAggregate;
  readonly #timers: TimerWheel;
  readonly #state: () => StateName;
  #flush: NodeJS.Timeout | null = null;
  readonly #startedMs: number;

  constructor(
    stats: StatsAggregate,
    options: ServerOptions,
    breakerMemory: SharedArrayBuffer,
    clustersMax: number,
    state: () => StateName,
    warn: (text: string) => void,
  ) {
    this.#stats = stats;
    this.#startedMs = performance.now();
    this.server = new ServerStats(stats.store, {
      concurrency: options.concurrency,
      version: versionNumber(VERSION),
    });
    this.certificates = new CertificateBook(stats.store);
    const clock = new Clock();
    const engine = createNodeEngine({ clock });
    this.canReusePort = engine.capabilities.reusePort;
    this.#timers = new TimerWheel(clock, (callback) => engine.runTurn(callback));
    const shared = new Http1Shared();
    let connectionId = 0;
    this.#fetchedCode = new Map();
    this.remoteCode = new RemoteCodeStats(stats.store);
    this.#upstream = {
      engine,
      clock,
      timers: this.#timers,
      random: new SystemRandom(),
      runtime: new Runtime(),
      stats: stats.store,
      breakers: openBreakerMemory(breakerMemory, clustersMax, options.concurrency),
      createCodec: (sink, callbacks, http1) =>
        new Http1ClientConnection(sink, callbacks, http1, shared),
      nextConnectionId: () => {
        connectionId += 1;
        return connectionId;
      },
      openKeyLog: null,
      warn,
      ownsClusterStats: true,
    };
    this.clusterManager = new ClusterManager(this.#upstream);
    this.#state = state;
  }

  /**
   * Begins to set gauges and to cut histogram intervals every `intervalMs` (stats_flush_interval).
   */
  startFlushing(intervalMs: number): void {
    if (this.#flush !== null) clearInterval(this.#flush);
    this.#flush = setInterval(() => {
      this.update(this.#state());
      this.#stats.flushHistograms();
    }, intervalMs);
    this.#flush.unref();
  }

  /** Sets the gauges that follow the process. */
  update(state: StateName): void {
    for (const cluster of this.clusterManager.clusters.values()) cluster.showOpenBreakers();
    this.server.update({
      state: stateValues[state],
      uptimeSeconds: Math.floor((performance.now() - this.#startedMs) / 1000),
      totalConnections: totalConnections(this.#stats),
      memory: process.memoryUsage(),
      daysUntilCertificateExpiry: this.certificates.daysUntilExpiry(Date.now()),
      secondsUntilOcspExpiry: this.certificates.secondsUntilOcspExpiry(Date.now()),
    });
  }

  /** The first time that the server is live. */
  setLive(initializationMs: number): void {
    const { listenerManagerGauges } = this.server;
    this.server.initializationTimeMs.record(initializationMs);
    listenerManagerGauges.workers_started.set(1);
    this.update("LIVE");
  }

  /** For the modules of a version that has these clusters; to be closed. */
  createFetcher(
    clusters: readonly ClusterConfig[],
    memberships: readonly ClusterMembership[],
  ): RemoteFetcher {
    const { remoteCode } = this;
    return new RemoteFetcher(this.#upstream, clusters, memberships, this.#fetchedCode, remoteCode);
  }

  /** Clusters and hosts as the workers have them. */
  setClusters(clusters: readonly ClusterConfig[], memberships: readonly ClusterMembership[]): void {
    this.clusterManager.commit(this.clusterManager.prepare(clusters, memberships));
  }

  setMembership(membership: ClusterMembership): void {
    this.clusterManager.setMembership(membership);
  }

  close(): void {
    if (this.#flush !== null) clearInterval(this.#flush);
    this.clusterManager.close();
    this.#timers.stop();
  }
}

/** Downstream connections of all listeners. */
export function totalConnections(stats: StatsAggregate): number {
  let total = 0;
  for (const stat of stats.scalars()) {
    if (/^listener\..*\.worker_\d+\.downstream_cx_active$/.test(stat.name)) total += stat.value;
  }
  return total;
}

/** "1.2.3" as 10203. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return major * 10_000 + minor * 100 + patch;
}
