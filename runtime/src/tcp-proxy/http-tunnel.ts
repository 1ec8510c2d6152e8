// A tunnel through an HTTP proxy (tunneling_config): an HTTP/1 stream that looks to the TCP proxy
// like a connection. Made per attempt by TunnelOpener.
//
//   Waiting -- onPoolReady --> Asking -- 2xx --> Open -- shutdownWrite --> Ending
//      \__________ failure, another answer ________/ \_____ the stream's end ____/--> Over
//
// As in Envoy over HTTP/1, a tunnel has no half-closed state: the end of either side ends it.
import { BytesMeter } from "../core/bytes-meter.ts";
import type { BytesSource } from "../core/bytes-meter.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { TunnelingConfig } from "../config/snapshot.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileText } from "../formatter/formatter.ts";
import type { Formatter } from "../formatter/formatter.ts";
import { HeaderTransform } from "../router/header-transform.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import { PoolFailureReason, StreamResetReason } from "../upstream/pool/conn-pool.ts";
import type {
  PendingStream,
  PoolCallbacks,
  PooledConnection,
  RequestEncoder,
  ResponseDecoder,
} from "../upstream/pool/conn-pool.ts";
import type { TcpConnectionCallbacks, TcpLink } from "../upstream/pool/tcp-connection.ts";
import type { TransportOptions } from "../upstream/transport-options.ts";

const noBytes = Buffer.alloc(0);

/** The configuration, compiled; one per TCP proxy. */
export class TunnelOpener {
  readonly #config: TunnelingConfig;
  readonly #hostname: Formatter;
  readonly #headers: HeaderTransform | null;
  readonly #context: FormatContext;

  /** `hostname` is this machine's. */
  constructor(config: TunnelingConfig, hostname: string, clock: Clock) {
    const compiled = compileText(config.hostname, { hostname, omitEmptyValues: false });
    if (typeof compiled !== "function") throw new Error(`hostname: ${compiled.message}`);
    this.#config = config;
    this.#hostname = compiled;
    this.#headers = HeaderTransform.compile(config.headersToAdd, [], hostname);
    this.#context = new FormatContext(clock);
  }

  /** Null: it was refused, and the asker told. Its bytes count as the upstream's in `info`. */
  open(
    cluster: Cluster,
    host: Host,
    options: TransportOptions | null,
    callbacks: TcpConnectionCallbacks,
    info: StreamInfo,
  ): TcpLink | null {
    const tunnel = new HttpTunnel(cluster, host, options, callbacks, this.#request(info));
    info.upstreamBytes = tunnel;
    return tunnel.open() ? tunnel : null;
  }

  #request(info: StreamInfo): HeaderMap {
    const { usesPost, postPath } = this.#config;
    const context = this.#context;
    const headers = new HeaderMap();
    context.set(info, null, null, null);
    headers.method = usesPost ? "POST" : "CONNECT";
    headers.authority = this.#hostname(context);
    if (usesPost) {
      headers.scheme = "http";
      headers.path = postPath;
    }
    this.#headers?.apply(headers, context);
    context.clear();
    return headers;
  }
}

const State = { Waiting: 0, Asking: 1, Open: 2, Ending: 3, Over: 4 } as const;

class HttpTunnel implements TcpLink, PoolCallbacks, ResponseDecoder, BytesSource {
  host: Host;
  connectionId: number = 0;
  localAddress: string = "";
  tls: TlsInfo | null = null;
  readonly #cluster: Cluster;
  readonly #options: TransportOptions | null;
  readonly #callbacks: TcpConnectionCallbacks;
  readonly #request: HeaderMap;
  readonly #response: HeaderMap;
  /** The connection's while it is ours: it counts on with its next stream. */
  #wireBytes: BytesMeter | null = null;
  readonly #ownBytes: BytesMeter = new BytesMeter();
  #state: number = State.Waiting;
  #pending: PendingStream | null = null;
  #encoder: RequestEncoder | null = null;
  #streamsBefore: number = 0;
  #isReadDisabled: boolean = false;
  /** The connection does not take what was written. */
  #isBackedUp: boolean = false;

  constructor(
    cluster: Cluster,
    host: Host,
    options: TransportOptions | null,
    callbacks: TcpConnectionCallbacks,
    request: HeaderMap,
  ) {
    this.host = host;
    this.#options = options;
    this.#cluster = cluster;
    this.#callbacks = callbacks;
    this.#request = request;
    this.#response = new HeaderMap();
  }

  /** False: it was refused, and the asker told. */
  open(): boolean {
    this.#ask(false);
    return this.#state !== State.Over;
  }

  /** What the tunnel takes on its connection. */
  get bytes(): BytesMeter {
    return this.#wireBytes ?? this.#ownBytes;
  }

  // ---- TcpLink.

  write(buffer: Buffer, length: number): boolean {
    if (this.#state !== State.Open || this.#encoder === null) return true;
    const isFlowing = this.#encoder.encodeData(buffer, 0, length, false);
    if (!isFlowing) this.#isBackedUp = true;
    return isFlowing;
  }

  readDisable(disabled: boolean): void {
    if (this.#isReadDisabled === disabled) return;
    this.#isReadDisabled = disabled;
    this.#encoder?.readDisable(disabled);
  }

  shutdownWrite(): void {
    if (this.#state !== State.Open) return;
    this.#state = State.Ending;
    const isFlowing = this.#encoder?.encodeData(noBytes, 0, 0, true) ?? true;
    if (isFlowing && !this.#isBackedUp) this.#end();
  }

  /** Never asked for: a tunnel ends with one of its sides. */
  finish(): boolean {
    this.closeNow();
    return true;
  }

  reset(): void {
    const pending = this.#pending;
    const encoder = this.#release();
    pending?.cancel();
    encoder?.resetStream(StreamResetReason.LocalReset);
  }

  closeNow(): void {
    this.reset();
  }

  // ---- PoolCallbacks.

  get decoder(): ResponseDecoder {
    return this;
  }

  onPoolReady(encoder: RequestEncoder, host: Host, connection: PooledConnection): void {
    this.#pending = null;
    this.#encoder = encoder;
    this.#wireBytes = encoder.bytes;
    this.#state = State.Asking;
    this.#streamsBefore = connection.streamsBefore;
    this.host = host;
    this.connectionId = connection.connectionId;
    this.localAddress = connection.localAddress;
    this.tls = connection.tls;
    encoder.encodeHeaders(this.#request, false);
  }

  onPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    this.#release();
    this.#callbacks.onUpstreamFailure(reason, host, transportFailure);
  }

  // ---- ResponseDecoder.

  responseHeaders(): HeaderMap {
    return this.#response;
  }

  decodeInformational(): void {}

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    const { status } = headers;
    if (status >= 200 && status < 300 && !endStream) {
      this.#state = State.Open;
      this.#callbacks.onUpstreamConnected(this);
      return;
    }
    this.#release()?.resetStream(StreamResetReason.LocalReset);
    this.#fail(`tunnel_response:${status}`);
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    if (to > from) {
      this.#callbacks.onUpstreamData(from === 0 ? buffer : buffer.subarray(from, to), to - from);
    }
    if (endStream) this.#end();
  }

  decodeTrailers(): void {
    this.#end();
  }

  onResetStream(reason: StreamResetReason): void {
    const wasAsking = this.#state === State.Asking;
    const isStale = this.#streamsBefore > 0 && reason === StreamResetReason.ConnectionTermination;
    this.#release();
    if (!wasAsking) this.#callbacks.onUpstreamClose(false);
    else if (isStale) {
      // A kept connection that was dead already: nothing was asked of anybody yet.
      this.#cluster.stats.rqStaleConnectionRetry.inc();
      this.#state = State.Waiting;
      this.#ask(true);
    } else this.#fail("");
  }

  onEncodeWritable(): void {
    this.#isBackedUp = false;
    if (this.#state === State.Ending) this.#end();
    else if (this.#state === State.Open) this.#callbacks.onUpstreamWritable();
  }

  // ---- Private parts.

  #ask(avoidIdle: boolean): void {
    const pending = this.#cluster.newStream(this.host, this.#options, this, false, avoidIdle);
    if (this.#state === State.Waiting) this.#pending = pending;
  }

  #fail(transportFailure: string): void {
    const reason = PoolFailureReason.RemoteConnectionFailure;
    this.#callbacks.onUpstreamFailure(reason, this.host, transportFailure);
  }

  /** One side has ended: so has the tunnel. What was written still leaves. */
  #end(): void {
    if (this.#state === State.Over) return;
    this.#release()?.endTunnel();
    this.#callbacks.onUpstreamClose(false);
  }

  /** Nothing calls back any more. */
  #release(): RequestEncoder | null {
    const encoder = this.#encoder;
    if (this.#wireBytes !== null) this.#ownBytes.copy(this.#wireBytes);
    this.#wireBytes = null;
    this.#encoder = null;
    this.#pending = null;
    this.#state = State.Over;
    return encoder;
  }
}
