// The upstream side of a tunnel that ends here: a TCP connection of its own that looks to the
// UpstreamRequest like an HTTP one. When it is there the client gets 200; then bytes pass as they
// are. Made by UpstreamRequest per attempt.
//
//   Waiting -- connected --> Open -- upstream's FIN --> Answered -- the request's end --> Over
//      \_________ cancel, failure, reset, close _____________________/
import { BytesMeter } from "../core/bytes-meter.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import { PoolFailureReason, StreamResetReason } from "./pool/conn-pool.ts";
import type {
  PendingStream,
  PoolCallbacks,
  PooledConnection,
  RequestEncoder,
  ResponseDecoder,
} from "./pool/conn-pool.ts";
import type { TcpConnectionCallbacks, TcpLink } from "./pool/tcp-connection.ts";
import type { TransportOptions } from "./transport-options.ts";

const noBytes = Buffer.alloc(0);

/** Answers as ConnPool.newStream; `start` goes to the upstream before all other bytes. */
export function openTcpUpstream(
  cluster: Cluster,
  host: Host,
  options: TransportOptions | null,
  callbacks: PoolCallbacks,
  start: Buffer,
): PendingStream | null {
  if (!cluster.canConnect()) {
    callbacks.onPoolFailure(PoolFailureReason.Overflow, host, "");
    return null;
  }
  const upstream = new TcpUpstream(callbacks, start, cluster.config.idleTimeoutMs);
  return upstream.open(cluster, host, options) ? upstream : null;
}

class TcpUpstream
  implements TcpConnectionCallbacks, RequestEncoder, PooledConnection, PendingStream
{
  readonly bytes: BytesMeter = new BytesMeter();
  /** None that %UPSTREAM_PROTOCOL% has a name for. */
  readonly protocol = 0;
  readonly streamsBefore = 0;
  connectionId: number = 0;
  localAddress: string = "";
  tls: TlsInfo | null = null;
  readonly #start: Buffer;
  readonly #flushTimeoutMs: number;
  /** Null when it has connected, or never will. */
  #callbacks: PoolCallbacks | null;
  /** Null before the response begins, and when it is over. */
  #decoder: ResponseDecoder | null = null;
  /** Null when it is over. */
  #connection: TcpLink | null = null;
  #isRequestEnded: boolean = false;
  #readDisables: number = 0;

  constructor(callbacks: PoolCallbacks, start: Buffer, flushTimeoutMs: number) {
    this.#callbacks = callbacks;
    this.#start = start;
    this.#flushTimeoutMs = flushTimeoutMs;
  }

  /** False: it was refused, and the asker told. */
  open(cluster: Cluster, host: Host, options: TransportOptions | null): boolean {
    this.#connection = cluster.connectTcp(host, options, this);
    return this.#connection !== null;
  }

  // ---- PendingStream.

  cancel(): void {
    this.#callbacks = null;
    this.#takeConnection()?.reset();
  }

  // ---- TcpConnectionCallbacks.

  onUpstreamConnected(connection: TcpLink): void {
    const callbacks = this.#callbacks as PoolCallbacks;
    this.#callbacks = null;
    this.#decoder = callbacks.decoder;
    this.connectionId = connection.connectionId;
    this.localAddress = connection.localAddress;
    this.tls = connection.tls;
    callbacks.onPoolReady(this, connection.host, this);
  }

  onUpstreamFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    const callbacks = this.#callbacks;
    this.#callbacks = null;
    this.#connection = null;
    callbacks?.onPoolFailure(reason, host, transportFailure);
  }

  onUpstreamData(buffer: Buffer, length: number): void {
    this.bytes.received += length;
    this.#decoder?.decodeData(buffer, 0, length, false);
  }

  onUpstreamWritable(): void {
    this.#decoder?.onEncodeWritable();
  }

  /** The response's end. A request that has not ended yet is given up by its owner. */
  onUpstreamEnd(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    if (this.#isRequestEnded) this.#takeConnection()?.finish(true, this.#flushTimeoutMs, true);
    decoder?.decodeData(noBytes, 0, 0, true);
  }

  onUpstreamClose(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#connection = null;
    decoder?.onResetStream(StreamResetReason.ConnectionTermination, "");
  }

  onUpstreamFlushed(): void {}

  // ---- RequestEncoder.

  /** The request's head stays here: the upstream is there, and that is the answer. */
  encodeHeaders(_headers: HeaderMap, endStream: boolean): void {
    const decoder = this.#decoder;
    if (decoder === null) return;
    this.#write(this.#start, this.#start.length);
    if (endStream) this.#endRequest();
    const headers = decoder.responseHeaders();
    headers.reset();
    headers.status = 200;
    decoder.decodeHeaders(headers, false);
  }

  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean {
    const bytes = from === 0 ? buffer : buffer.subarray(from, to);
    const isFlowing = this.#write(bytes, to - from);
    if (endStream) this.#endRequest();
    return isFlowing;
  }

  /** TCP has no place for them. */
  encodeTrailers(_trailers: HeaderMap): void {
    this.#endRequest();
  }

  resetStream(_reason: StreamResetReason): void {
    this.#decoder = null;
    this.#takeConnection()?.closeNow();
  }

  readDisable(disabled: boolean): void {
    this.#readDisables += disabled ? 1 : -1;
    this.#connection?.readDisable(this.#readDisables > 0);
  }

  startTunnel(): void {}

  endTunnel(): void {
    this.resetStream(StreamResetReason.LocalReset);
  }

  // ---- Private parts.

  #write(buffer: Buffer, length: number): boolean {
    const connection = this.#connection;
    if (connection === null || length === 0) return true;
    this.bytes.sent += length;
    return connection.write(buffer, length);
  }

  #endRequest(): void {
    this.#isRequestEnded = true;
    this.#connection?.shutdownWrite();
  }

  #takeConnection(): TcpLink | null {
    const connection = this.#connection;
    this.#connection = null;
    return connection;
  }
}
