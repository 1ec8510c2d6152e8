// A small world for tests of the upstream and router rooms: a network that does what the test says,
// a clock that it moves, and configurations with Envoy's defaults.
import type { Duplex } from "node:stream";
import { Http1ClientConnection } from "../codec/http1/client-connection.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import type { ClusterConfig, ClusterMembership, HostConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import type { Http1CodecOptions } from "../core/http1-options.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { TimerWheel, type TickSource } from "../core/timer-wheel.ts";
import {
  CloseReason,
  type ConnectOptions,
  type IoEvents,
  type IoHandle,
  type ListenHandle,
  type NetworkEngine,
  type SocketAddress,
} from "../engine/network-engine.ts";
import { StatKind, StatsStore } from "../stats/store.ts";
import { breakerMemory, openBreakerMemory } from "./circuit-breaker.ts";
import { hostConfigOf } from "./original-destination.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import { UpstreamTransport } from "./upstream-transport.ts";

export const http1Options: Http1CodecOptions = {
  headBytesMax: 61_440,
  headersMax: 100,
  acceptHttp10: false,
  defaultHostForHttp10: "",
  allowAbsoluteUrl: true,
  allowChunkedLength: false,
  enableTrailers: true,
  headerCase: "lower",
  underscores: "allow",
};

const breaker = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  trackRemaining: false,
};

/** A cluster with Envoy's defaults. */
export function clusterConfig(overrides: Partial<ClusterConfig> = {}): ClusterConfig {
  return {
    name: "up",
    where: "test.yaml:1:1",
    statName: "up",
    discovery: "static",
    eds: null,
    originalDestination: null,
    lbPolicy: "round_robin",
    leastRequestChoiceCount: 2,
    leastRequestActiveBias: 1,
    leastRequestActiveBiasKey: "",
    connectTimeoutMs: 5000,
    perConnectionBufferBytesMax: 1_048_576,
    dns: {
      refreshRateMs: 5000,
      failureRefreshBaseMs: 5000,
      failureRefreshMaxMs: 5000,
      respectTtl: false,
      family: "auto",
      servers: { addresses: [], queryTimeoutMs: 5000, queryTries: 2 },
    },
    http1: http1Options,
    http2: null,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    maxRequestsPerConnection: 0,
    circuitBreakers: [breaker, breaker],
    sharedIndex: 0,
    localities: [],
    keepAlive: null,
    healthyPanicThresholdPercent: 50,
    bindAddresses: null,
    autoSni: null,
    happyEyeballs: { firstFamily: null, firstFamilyCount: 1 },
    transportSockets: [{ name: "", match: {}, socket: { kind: "raw_buffer" } }],
    metadata: new Uint8Array(0),
    ...overrides,
  };
}

/** Plain text. */
export const rawTransport: UpstreamTransport = new UpstreamTransport(
  {
    name: "",
    match: {},
    socket: { kind: "raw_buffer" },
  },
  () => {
    throw new Error("not here");
  },
);

/** Limits of the default priority; the others are Envoy's. */
export function limits(
  overrides: Partial<ClusterConfig["circuitBreakers"][0]>,
): ClusterConfig["circuitBreakers"] {
  return [{ ...breaker, ...overrides }, breaker];
}

export function hostConfig(port: number, overrides: Partial<HostConfig> = {}): HostConfig {
  return { ...hostConfigOf({ address: "127.0.0.1", port }), ...overrides };
}

export function membership(cluster: string, hosts: readonly HostConfig[]): ClusterMembership {
  return { cluster, hosts };
}

/** A socket whose peer is the test. */
export class FakeIo implements IoHandle {
  readonly localAddress: SocketAddress = { address: "127.0.0.1", port: 40_000, family: "ipv4" };
  readonly remoteAddress: SocketAddress;
  readonly options: ConnectOptions;
  events: IoEvents;
  /** All that was written, as latin1. */
  sent = "";
  /** What the next writes answer. */
  isFlowing = true;
  writeQueueBytes = 0;
  readDisables = 0;
  readBytesMax = -1;
  /** FIN was sent. */
  isShutdown = false;
  end: "open" | "closed" | "reset" | "gone" = "open";

  constructor(address: SocketAddress, options: ConnectOptions, events: IoEvents) {
    this.remoteAddress = address;
    this.options = options;
    this.events = events;
  }

  setEvents(events: IoEvents): void {
    this.events = events;
  }
  write(bytes: Buffer): boolean {
    return this.writeText(bytes.toString("latin1"));
  }
  writeText(text: string): boolean {
    if (this.end === "open") this.sent += text;
    return this.isFlowing;
  }
  writeLent(buffer: Buffer, from: number, to: number): boolean {
    return this.writeText(buffer.toString("latin1", from, to));
  }
  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    return this.writeText(before + buffer.toString("latin1", from, to) + behind);
  }
  readDisable(disabled: boolean): void {
    this.readDisables += disabled ? 1 : -1;
  }
  shutdownWrite(): void {
    this.isShutdown = true;
  }
  close(): void {
    if (this.end === "open") this.end = "closed";
  }
  reset(): void {
    // What was closed may still send what waits.
    if (this.end === "open" || this.writeQueueBytes > 0) this.end = "reset";
    this.writeQueueBytes = 0;
  }
  setReadBytesMax(bytes: number): void {
    this.readBytesMax = bytes;
  }
  setNoDelay(): void {}
  setKeepAlive(): void {}
  unread(): void {}
  detach(): Duplex {
    throw new Error("not here");
  }

  // What the peer does.

  connect(): void {
    this.events.onConnect();
  }
  receive(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.events.onRead(bytes, bytes.length);
  }
  drainWrites(): void {
    this.isFlowing = true;
    this.writeQueueBytes = 0;
    this.events.onWritable();
  }
  fin(): void {
    this.events.onEnd();
  }
  die(code: string, reason: CloseReason = CloseReason.RemoteReset): void {
    this.end = "gone";
    this.events.onClose(reason, code);
  }
  refuse(code = "ECONNREFUSED"): void {
    this.die(code, CloseReason.ConnectFailed);
  }
}

export class FakeEngine implements NetworkEngine {
  readonly name = "fake";
  readonly capabilities = { reusePort: false, abstractUnixSockets: false, tls: false };
  readonly ios: FakeIo[] = [];

  listen(): ListenHandle {
    throw new Error("not here");
  }
  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): IoHandle {
    const io = new FakeIo(address, options, events);
    this.ios.push(io);
    return io;
  }
  startTls(): never {
    throw new Error("not here");
  }
  runTurn(callback: () => void): void {
    callback();
  }
  /** The connection that was made at that place; fails when there is none. */
  io(index: number): FakeIo {
    const io = this.ios[index];
    if (io === undefined) throw new Error(`no connection ${index} of ${this.ios.length}`);
    return io;
  }
}

class FakeTicks implements TickSource {
  readonly ticks: Set<() => void> = new Set();
  start(_intervalMs: number, tick: () => void): () => void {
    this.ticks.add(tick);
    return () => this.ticks.delete(tick);
  }
}

/** One thread's worth of what the upstream room needs. */
export class FakeThread {
  readonly engine: FakeEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly stats: StatsStore;
  readonly context: UpstreamContext;
  readonly #ticks: FakeTicks = new FakeTicks();
  #nowMs = 1_000_000;

  constructor(
    options: { owns?: boolean; memory?: SharedArrayBuffer; thread?: number; seed?: number } = {},
  ) {
    const time = { monotonicMs: () => this.#nowMs, epochMs: () => this.#nowMs };
    this.engine = new FakeEngine();
    this.clock = new Clock(time);
    this.timers = new TimerWheel(this.clock, (callback) => callback(), this.#ticks);
    this.stats = new StatsStore({ slotsMax: 60_000 });
    const shared = new Http1Shared();
    let connections = 0;
    this.context = {
      engine: this.engine,
      clock: this.clock,
      timers: this.timers,
      random: new SeededRandom(options.seed ?? 1),
      runtime: new Runtime(),
      stats: this.stats,
      breakers: openBreakerMemory(options.memory ?? breakerMemory(2, 8), 8, options.thread ?? 0),
      createCodec: (sink, callbacks, codecOptions) =>
        new Http1ClientConnection(sink, callbacks, codecOptions, shared),
      openKeyLog: null,
      warn: () => {},
      nextConnectionId: () => (connections += 1),
      ownsClusterStats: options.owns ?? false,
    };
  }

  /** Time passes in steps of 50 ms, and timers fire. */
  pass(ms: number): void {
    let left = ms;
    while (left > 0) {
      const step = Math.min(50, left);
      left -= step;
      this.#nowMs += step;
      this.clock.update();
      for (const tick of Array.from(this.#ticks.ticks)) tick();
    }
  }

  counter(name: string): number {
    return this.stats.counter(name).value;
  }

  gauge(name: string): number {
    return this.stats.gauge(name).value;
  }

  /** Names of gauges that are not 0, but for those of memberships. */
  openGauges(): string[] {
    return this.stats.definitions
      .filter((d) => d.kind === StatKind.Gauge && !/membership_|active_clusters/.test(d.name))
      .filter((d) => this.stats.gauge(d.name).value !== 0)
      .map((d) => `${d.name}=${this.stats.gauge(d.name).value}`);
  }
}
