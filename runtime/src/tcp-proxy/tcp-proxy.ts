// The network filter that passes bytes to a cluster: one per downstream connection, with one
// upstream connection of its own.
//
//   Connecting -- upstream connected --> Proxying -- both sides ended, error, timeout --> Closed
//   Connecting -- attempts used up, no host, no cluster, circuit breaker --> Closed
//
// Until the upstream is there nothing is read. Then bytes go from the read of one side to the write
// of the other without a copy; a side that does not take them stops the reading of the other.
import { BytesMeter } from "../core/bytes-meter.ts";
import type { BytesSource } from "../core/bytes-meter.ts";
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogType } from "../core/stream-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { BackOffConfig, TcpProxyConfig } from "../config/snapshot.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
} from "../filter/network-filter.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";
import type { Host } from "../upstream/host.ts";
import { PoolFailureReason } from "../upstream/pool/conn-pool.ts";
import type { TcpConnectionCallbacks, TcpLink } from "../upstream/pool/tcp-connection.ts";
import type { TunnelOpener } from "./http-tunnel.ts";
import { PeriodicLog } from "./periodic-log.ts";
import type { ProxyTlvs } from "./proxy-tlvs.ts";
import type { TcpProxyStats } from "./tcp-proxy-stats.ts";

export interface TcpProxyContext {
  readonly config: TcpProxyConfig;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly clusterManager: ClusterManager;
  readonly stats: TcpProxyStats;
  readonly accessLoggers: readonly AccessLogger[];
  /** Of tunneling_config; null = none. */
  readonly tunnels: TunnelOpener | null;
  /** What the PROXY header to the upstream says; null = nothing of its own. */
  readonly proxyTlvs: ProxyTlvs | null;
  readonly nextStreamId: () => number;
}

export class TcpProxyFactory implements NetworkFilterFactory {
  readonly #context: TcpProxyContext;

  constructor(context: TcpProxyContext) {
    this.#context = context;
  }

  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter {
    return new TcpProxy(this.#context, callbacks);
  }
}

const noBackOff: BackOffConfig = { baseMs: 0, maxMs: 0 };

/** Bytes of one side, for %DOWNSTREAM_WIRE_BYTES_...% and its upstream twins. */
class SideBytes implements BytesSource {
  readonly bytes: BytesMeter = new BytesMeter();
}

/** The timer is the next of: the idle timeout, the longest duration, the close after a failure. */
export class TcpProxy extends TimerEntry implements NetworkFilter, TcpConnectionCallbacks {
  readonly #context: TcpProxyContext;
  readonly #callbacks: NetworkFilterCallbacks;
  readonly #info: StreamInfo;
  readonly #downstreamBytes: SideBytes;
  readonly #upstreamBytes: SideBytes;
  readonly #clusterName: string;
  /** Connecting or connected; null before, between attempts, and when it is over. */
  #upstream: TcpLink | null = null;
  #isConnected: boolean = false;
  #attempts: number = 0;
  /** When the next attempt begins. */
  #retryAtMs: number = Number.POSITIVE_INFINITY;
  /** There will be no upstream. */
  #hasFailed: boolean = false;
  #isDownstreamEnded: boolean = false;
  #isUpstreamEnded: boolean = false;
  /** The upstream does not take bytes: the downstream is not read. */
  #isPaused: boolean = false;
  #isClosed: boolean = false;
  #activeAtMs: number = 0;
  /** What it has in the gauge of buffered bytes. */
  #txBuffered: number = 0;
  /** With the jitter; 0 = none. */
  readonly #durationMs: number;
  readonly #periodicLog: PeriodicLog | null = null;

  constructor(context: TcpProxyContext, callbacks: NetworkFilterCallbacks) {
    super();
    const { clock, config, stats } = context;
    this.#context = context;
    this.#callbacks = callbacks;
    this.#downstreamBytes = new SideBytes();
    this.#upstreamBytes = new SideBytes();
    this.#info = new StreamInfo();
    this.#info.reset(callbacks.info, context.nextStreamId(), callbacks.info.startMs);
    this.#info.accessLogType = "TcpConnectionEnd";
    this.#info.filterChainName = callbacks.info.filterChainName;
    this.#info.dynamicMetadata = callbacks.info.dynamicMetadata;
    this.#info.downstreamBytes = this.#downstreamBytes;
    this.#info.upstreamBytes = this.#upstreamBytes;
    this.#activeAtMs = clock.nowMs;
    stats.cxTotal.inc();
    callbacks.setFlushTimeout(config.idleTimeoutMs);
    callbacks.io.readDisable(true);
    this.#clusterName = this.#drawCluster();
    this.#durationMs = this.#drawDuration();
    const { everyMs } = config.logMoments;
    if (everyMs > 0 && context.accessLoggers.length > 0) {
      const log = (): void => this.#log("TcpPeriodic");
      this.#periodicLog = new PeriodicLog(clock, context.timers, everyMs, log);
    }
    this.#schedule();
  }

  // ---- NetworkFilter: the downstream.

  onNewConnection(): void {
    const { config, proxyTlvs } = this.#context;
    proxyTlvs?.applyTo(this.#callbacks.info, this.#info);
    if (config.logMoments.atStart) this.#log("TcpConnectionStart");
    this.#connect();
  }

  onData(buffer: Buffer, length: number): void {
    const upstream = this.#upstream;
    if (upstream === null || !this.#isConnected) return;
    const { clock, stats } = this.#context;
    const info = this.#info;
    stats.cxRxBytesTotal.add(length);
    info.bytesReceived += length;
    this.#downstreamBytes.bytes.received += length;
    this.#upstreamBytes.bytes.sent += length;
    this.#activeAtMs = clock.nowMs;
    if (info.upstreamFirstTxMs < 0) info.upstreamFirstTxMs = clock.nowMs;
    info.upstreamLastTxMs = clock.nowMs;
    if (upstream.write(buffer, length) || this.#isPaused) return;
    this.#isPaused = true;
    stats.flowPausedReading.inc();
    this.#callbacks.io.readDisable(true);
  }

  onEnd(): void {
    this.#isDownstreamEnded = true;
    this.#info.requestEndMs = this.#context.clock.nowMs;
    const upstream = this.#upstream;
    if (upstream === null || !this.#isConnected) return;
    if (this.#isUpstreamEnded) this.#finish(upstream, false);
    else upstream.shutdownWrite();
  }

  onWritable(): void {
    this.#setTxBuffered(0);
    this.#activeAtMs = this.#context.clock.nowMs;
    if (this.#isConnected) this.#upstream?.readDisable(false);
  }

  /** A downstream that broke takes the upstream with it; so does one that a filter closes. */
  onClose(remote: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const upstream = this.#takeUpstream();
    if (remote) upstream?.reset();
    else upstream?.closeNow();
    this.#context.timers.cancel(this);
    this.#periodicLog?.stop();
    this.#setTxBuffered(0);
    this.#log("TcpConnectionEnd");
    const { info } = this.#callbacks;
    if (info.stream !== null) info.stream = this.#info;
  }

  onDelayedCloseTimeout(): void {}

  /** As in Envoy, an overload does not shorten them. */
  onTimeoutsChanged(): void {}

  /** Nobody can tell when a protocol that we do not know is idle: it goes on to its end. */
  onShutdown(): void {}

  // ---- TcpConnectionCallbacks: the upstream.

  onUpstreamConnected(upstream: TcpLink): void {
    const { clock, config } = this.#context;
    const info = this.#info;
    this.#isConnected = true;
    this.#activeAtMs = clock.nowMs;
    info.setUpstreamHost(upstream.host);
    info.upstreamLocalAddress = upstream.localAddress;
    info.upstreamConnectionId = upstream.connectionId;
    info.upstreamTls = upstream.tls;
    this.#schedule();
    if (config.logMoments.whenConnected) this.#log("TcpUpstreamConnected");
    if (this.#isDownstreamEnded) upstream.shutdownWrite();
    this.#callbacks.io.readDisable(false);
  }

  onUpstreamFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    const info = this.#info;
    this.#upstream = null;
    if (reason === PoolFailureReason.Overflow) info.upstreamHost = "";
    else info.setUpstreamHost(host);
    if (transportFailure !== "") info.upstreamTransportFailureReason = transportFailure;
    switch (reason) {
      case PoolFailureReason.Overflow:
      case PoolFailureReason.LocalConnectionFailure:
        // As in Envoy without a flag of its own, and as often as another failure.
        this.#connectAgain(true);
        return;
      case PoolFailureReason.RemoteConnectionFailure:
      case PoolFailureReason.Timeout:
        // As in Envoy, the flag stays when a later attempt succeeds.
        info.responseFlags |= ResponseFlag.UpstreamConnectionFailure;
        this.#connectAgain(false);
    }
  }

  onUpstreamData(buffer: Buffer, length: number): void {
    const { clock, stats } = this.#context;
    const { io } = this.#callbacks;
    const info = this.#info;
    stats.cxTxBytesTotal.add(length);
    info.bytesSent += length;
    this.#downstreamBytes.bytes.sent += length;
    this.#upstreamBytes.bytes.received += length;
    this.#activeAtMs = clock.nowMs;
    if (info.upstreamFirstRxMs < 0) info.upstreamFirstRxMs = clock.nowMs;
    if (info.downstreamFirstTxMs < 0) info.downstreamFirstTxMs = clock.nowMs;
    info.upstreamLastRxMs = clock.nowMs;
    info.downstreamLastTxMs = clock.nowMs;
    if (io.writeLent(buffer, 0, length)) return;
    this.#setTxBuffered(io.writeQueueBytes);
    this.#upstream?.readDisable(true);
  }

  onUpstreamWritable(): void {
    this.#activeAtMs = this.#context.clock.nowMs;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#context.stats.flowResumedReading.inc();
    this.#callbacks.io.readDisable(false);
  }

  onUpstreamEnd(): void {
    const upstream = this.#upstream;
    this.#isUpstreamEnded = true;
    if (upstream === null) return;
    this.#callbacks.io.shutdownWrite();
    if (this.#isDownstreamEnded) this.#finish(upstream, true);
  }

  /** The downstream gets a reset, too; what a tunnel has brought still reaches it. */
  onUpstreamClose(isReset: boolean): void {
    this.#takeUpstream();
    if (!isReset) {
      this.#callbacks.closeAfterFlush(0);
      return;
    }
    this.#info.responseFlags |= ResponseFlag.UpstreamRemoteReset;
    this.#callbacks.closeNow();
  }

  onUpstreamFlushed(): void {
    this.#context.stats.upstreamFlushActive.dec();
  }

  // ---- TimerEntry.

  override onDeadline(): void {
    const { clock, stats } = this.#context;
    if (this.#hasFailed) {
      this.#callbacks.closeAfterFlush(0);
    } else if (clock.nowMs >= this.#durationDeadlineMs()) {
      stats.maxDuration.inc();
      this.#info.responseFlags |= ResponseFlag.DurationTimeout;
      this.#cut();
    } else if (clock.nowMs >= this.#retryAtMs) {
      this.#retryAtMs = Number.POSITIVE_INFINITY;
      this.#connect();
      if (!this.#hasFailed) this.#schedule();
    } else if (clock.nowMs >= this.#idleDeadlineMs()) {
      stats.idleTimeout.inc();
      if (!this.#isConnected) this.#info.responseFlags |= ResponseFlag.UpstreamConnectionFailure;
      this.#cut();
    } else this.#schedule();
  }

  // ---- Private parts.

  #drawCluster(): string {
    const { config, random } = this.#context;
    const [only] = config.clusters;
    if (only !== undefined && config.clusters.length === 1) return only.name;
    let at = random.u32() % Math.max(1, config.totalWeight);
    for (const { name, weight } of config.clusters) {
      if (at < weight) return name;
      at -= weight;
    }
    return "";
  }

  #connect(): void {
    const { clock, clusterManager, config, stats } = this.#context;
    const info = this.#info;
    const cluster = clusterManager.getCluster(this.#clusterName);
    if (cluster === undefined) {
      stats.cxNoRoute.inc();
      this.#fail(ResponseFlag.NoClusterFound);
      return;
    }
    info.upstreamCluster = cluster.name;
    info.clusterInfo = cluster;
    if (!cluster.canConnect()) {
      this.#fail(ResponseFlag.UpstreamOverflow);
      return;
    }
    if (this.#attempts >= config.maxConnectAttempts) {
      cluster.stats.cxConnectAttemptsExceeded.inc();
      this.#fail(ResponseFlag.UpstreamRetryLimitExceeded);
      return;
    }
    if (info.upstreamStartMs < 0) info.upstreamStartMs = clock.nowMs;
    const host = cluster.chooseHost(null, info);
    if (host === null) {
      this.#fail(ResponseFlag.NoHealthyUpstream);
      return;
    }
    this.#attempts += 1;
    info.attemptCount = this.#attempts;
    const options = cluster.transportOptions(null, this.#callbacks.info);
    const { tunnels } = this.#context;
    if (tunnels === null) {
      this.#upstream = cluster.connectTcp(host, options, this);
      return;
    }
    this.#activeAtMs = clock.nowMs;
    info.setUpstreamHost(host);
    this.#upstream = tunnels.open(cluster, host, options, this, info);
    if (!this.#hasFailed) this.#schedule();
  }

  /**
   * At once, or when the back-off is over; whoever has no attempt left is told at once. `isLater`:
   * not in this turn, in which #connect may not have returned yet.
   */
  #connectAgain(isLater: boolean): void {
    const { clock, config, random } = this.#context;
    const { connectBackOff: backOff, maxConnectAttempts } = config;
    if (this.#attempts >= maxConnectAttempts || (backOff === null && !isLater)) {
      this.#connect();
      return;
    }
    const { baseMs, maxMs } = backOff ?? noBackOff;
    const limitMs = Math.min(baseMs * 2 ** (this.#attempts - 1), maxMs);
    this.#retryAtMs = clock.nowMs + (limitMs * random.u32()) / 2 ** 32;
    this.#schedule();
  }

  /** To all loggers; %DURATION% is what it has lasted so far. */
  #log(type: AccessLogType): void {
    const { accessLoggers, clock } = this.#context;
    const info = this.#info;
    info.accessLogType = type;
    info.endMs = clock.nowMs;
    this.#countWire();
    for (let i = 0; i < accessLoggers.length; i += 1) {
      (accessLoggers[i] as AccessLogger).log(info, null, null, null);
    }
  }

  /** As in Envoy, bytes of the downstream are those of its socket. */
  #countWire(): void {
    const { wire } = this.#callbacks;
    if (wire === null) return;
    this.#info.bytesReceived = wire.received;
    this.#info.bytesSent = wire.sent;
    this.#downstreamBytes.bytes.copy(wire);
  }

  #drawDuration(): number {
    const { config, random } = this.#context;
    const { maxDownstreamConnectionDurationJitter: jitter } = config;
    const limitMs = config.maxDownstreamConnectionDurationMs;
    if (jitter === 0 || limitMs === 0) return limitMs;
    return limitMs * (1 + (jitter * random.u32()) / 2 ** 32);
  }

  /** Closes in a later turn: the connection may be only being made. */
  #fail(flag: number): void {
    const { clock, timers } = this.#context;
    this.#info.responseFlags |= flag;
    this.#hasFailed = true;
    timers.schedule(this, clock.nowMs);
  }

  /** Both sides have ended; what was written still leaves. */
  #finish(upstream: TcpLink, isRemote: boolean): void {
    const { config, stats } = this.#context;
    this.#takeUpstream();
    if (!upstream.finish(isRemote, config.idleTimeoutMs)) {
      stats.upstreamFlushTotal.inc();
      stats.upstreamFlushActive.inc();
    }
    this.#callbacks.closeAfterFlush(0);
  }

  /** A timeout: both sides are closed, and what was not taken until now is dropped. */
  #cut(): void {
    this.#takeUpstream()?.closeNow();
    if (this.#callbacks.io.writeQueueBytes > 0) this.#callbacks.closeNow();
    else this.#callbacks.closeAfterFlush(0);
  }

  #takeUpstream(): TcpLink | null {
    const upstream = this.#upstream;
    this.#upstream = null;
    this.#isConnected = false;
    return upstream;
  }

  #setTxBuffered(bytes: number): void {
    this.#context.stats.cxTxBytesBuffered.add(bytes - this.#txBuffered);
    this.#txBuffered = bytes;
  }

  #idleDeadlineMs(): number {
    const { config, tunnels } = this.#context;
    const { idleTimeoutMs } = config;
    // As in Envoy, the time of the proxy's answer counts.
    const isAsking = tunnels !== null && this.#upstream !== null;
    const isWatched = (this.#isConnected || isAsking) && idleTimeoutMs > 0;
    return isWatched ? this.#activeAtMs + idleTimeoutMs : Number.POSITIVE_INFINITY;
  }

  #durationDeadlineMs(): number {
    if (this.#durationMs === 0) return Number.POSITIVE_INFINITY;
    return this.#callbacks.info.startMs + this.#durationMs;
  }

  #schedule(): void {
    const timeoutMs = Math.min(this.#idleDeadlineMs(), this.#durationDeadlineMs());
    const deadline = Math.min(timeoutMs, this.#retryAtMs);
    if (deadline !== Number.POSITIVE_INFINITY) this.#context.timers.schedule(this, deadline);
  }
}
