// What the main thread itself contributes to stats: the gauges of clusters and of the server, from a
// store and a small cluster manager of its own.
import { Http1ClientConnection } from "../codec/http1/client-connection.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { SystemRandom } from "../core/random.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import { openBreakerMemory } from "../upstream/circuit-breaker.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import { StatsStore } from "../stats/store.ts";
import type { StatDefinition } from "../stats/store.ts";
import type { ServerOptions } from "./options.ts";

export class MainStats {
  readonly store: StatsStore;
  readonly clusterManager: ClusterManager;
  readonly #timers: TimerWheel;

  /** `onDefine` is told of every stat of this thread. */
  constructor(
    options: ServerOptions,
    breakerMemory: SharedArrayBuffer,
    clustersMax: number,
    onDefine: (definition: StatDefinition) => void,
  ) {
    this.store = new StatsStore({ onDefine });
    const clock = new Clock();
    const engine = createNodeEngine({ clock });
    this.#timers = new TimerWheel(clock, (callback) => engine.runTurn(callback));
    const shared = new Http1Shared();
    let connectionId = 0;
    this.clusterManager = new ClusterManager({
      engine,
      clock,
      timers: this.#timers,
      random: new SystemRandom(),
      stats: this.store,
      breakers: openBreakerMemory(breakerMemory, clustersMax, options.concurrency),
      createCodec: (sink, callbacks, http1) =>
        new Http1ClientConnection(sink, callbacks, http1, shared),
      nextConnectionId: () => {
        connectionId += 1;
        return connectionId;
      },
      ownsClusterStats: true,
    });
  }

  /** Clusters and hosts as the workers have them. */
  setClusters(
    clusters: readonly ClusterConfig[],
    memberships: readonly ClusterMembership[],
  ): void {
    this.clusterManager.commit(this.clusterManager.prepare(clusters, memberships));
  }

  setMembership(membership: ClusterMembership): void {
    this.clusterManager.setMembership(membership);
  }

  close(): void {
    this.clusterManager.close();
    this.#timers.stop();
  }
}
