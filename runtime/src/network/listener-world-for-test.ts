// A listener with a clock of its own for tests, and what its connections do: echo.
import type { AddressConfig, ListenerConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { silentLogger } from "../core/logger.ts";
import { OverloadState } from "../core/overload-state.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { openSharedCounts, sharedCountsMemory } from "../core/shared-counts.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import type { NetworkFilter, NetworkFilterCallbacks } from "../filter/network-filter.ts";
import { StatsStore } from "../stats/store.ts";
import { FakeTime } from "../../test/fake-time.ts";
import { Listener } from "./listener.ts";

/** Answers each read with its name and the bytes; closes on shutdown. */
export class Echo implements NetworkFilter {
  readonly #name: string;
  readonly #callbacks: NetworkFilterCallbacks;
  constructor(name: string, callbacks: NetworkFilterCallbacks) {
    this.#name = name;
    this.#callbacks = callbacks;
  }
  onNewConnection(): void {}
  onData(buffer: Buffer, length: number): void {
    this.#callbacks.io.writeText(`${this.#name}:${buffer.toString("latin1", 0, length)}`);
  }
  onEnd(): void {
    this.#callbacks.closeAfterFlush(0);
  }
  onWritable(): void {}
  onClose(): void {}
  onDelayedCloseTimeout(): void {}
  onTimeoutsChanged(): void {}
  onShutdown(): void {
    this.#callbacks.closeAfterFlush(0);
  }
}

export const loopback: AddressConfig = {
  kind: "ip",
  address: "127.0.0.1",
  port: 0,
  ipv4Compat: false,
  pipeMode: 0,
};

export function listenerConfig(more: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    name: "l",
    where: "",
    address: loopback,
    additionalAddresses: [],
    statPrefix: "here",
    reusePort: false,
    backlog: 0,
    bindToPort: true,
    perConnectionBufferBytesMax: 1024,
    filterChains: [],
    defaultFilterChain: null,
    filterChainMatcher: null,
    listenerFilters: [],
    listenerFiltersTimeoutMs: 15_000,
    continuesOnListenerFiltersTimeout: false,
    trafficDirection: "unspecified",
    drainType: "default",
    accessLogs: [],
    keepAlive: null,
    additionalKeepAlives: [],
    ignoresGlobalConnectionLimit: false,
    bypassesOverloadManager: false,
    sharedIndex: 0,
    ...more,
  };
}

/** Time stands still until advance(). */
export class ListenerWorld {
  readonly stats: StatsStore;
  readonly listener: Listener;
  readonly #time: FakeTime;
  readonly #timers: TimerWheel;
  readonly #runtime: Runtime;
  readonly #cleanups: (() => void)[];

  constructor(config: Partial<ListenerConfig> = {}) {
    this.#time = new FakeTime();
    const clock = new Clock(this.#time);
    const engine = createNodeEngine({ clock });
    this.#timers = new TimerWheel(clock, (callback) => engine.runTurn(callback), this.#time);
    this.stats = new StatsStore();
    this.#runtime = new Runtime();
    this.#cleanups = [];
    let id = 0;
    this.listener = new Listener(listenerConfig(config), {
      engine,
      clock,
      timers: this.#timers,
      stats: this.stats,
      workerIndex: 0,
      nextConnectionId: () => {
        id += 1;
        return id;
      },
      logger: silentLogger,
      overload: new OverloadState(new SeededRandom(1)),
      runtime: this.#runtime,
      connectionCounts: openSharedCounts(sharedCountsMemory(1, 2), 2, 0),
    });
  }

  get port(): number {
    return this.listener.addresses[0]?.port ?? 0;
  }

  async listen(): Promise<void> {
    this.listener.open();
    const problem = await new Promise((resolve) => this.listener.listen([], resolve));
    if (problem !== "") throw new Error(String(problem));
  }

  /** Below "listener.here.". */
  count(name: string): number {
    return this.stats.counter(`listener.here.${name}`).value;
  }

  gauge(name: string): number {
    return this.stats.gauge(`listener.here.${name}`).value;
  }

  /** Connections of the listener. */
  limitConnections(max: number): void {
    const limit = { text: String(max), number: max, ppm: null };
    const values = new Map([["envoy.resource_limits.listener.l.connection_limit", limit]]);
    this.#runtime.setLayers([{ name: "s", kind: "static", values }]);
  }

  /** The milliseconds pass, and what is due happens. */
  advance(ms: number): void {
    this.#time.advance(ms, () => {});
  }

  /** Looks again each time that the loop has come round. */
  async until(isReady: () => boolean): Promise<void> {
    while (!isReady()) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  onClose(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  close(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.listener.stopListening();
    this.listener.closeConnections();
    this.#timers.stop();
  }
}
