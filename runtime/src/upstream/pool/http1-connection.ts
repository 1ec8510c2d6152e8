// One kept connection of an HTTP/1 pool: receiver of the socket's events, sink of the codec, and
// what the router sees as encoder. It stands between codec and router so that the pool alone
// decides about the connection's life, whatever the codec reports. Made by Http1Pool.
//
//   Connecting -- onConnect --> Idle <-- startStream / settle --> Busy
//        \____________________________ #terminate _______________/--> Closed
import type { BytesMeter } from "../../core/bytes-meter.ts";
import { assert } from "../../core/assert.ts";
import {
  type ByteSink,
  type ClientConnection,
  type ClientConnectionCallbacks,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "../../codec/codec.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import type { CloseReason } from "../../engine/network-engine.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { PoolFailureReason, type PoolCallbacks, type PooledConnection } from "./conn-pool.ts";
import type { Http1Pool } from "./http1-pool.ts";
import { PoolSocket } from "./pool-socket.ts";

/** So long a peer may take nothing of a tunnel's last bytes: Envoy's default for clients. */
const flushTimeoutMs = 1000;

const State = { Connecting: 0, Idle: 1, Busy: 2, Closed: 3 } as const;

/** What the codec said about the stream: nothing yet, or complete. */
const Completion = { None: 0, Reusable: 1, LastOne: 2 } as const;

const noReset = -1;

/** As Envoy's HTTP/1 pools. */
const http1Protocols: readonly string[] = ["http/1.1"];

export class Http1PoolConnection
  extends PoolSocket
  implements ByteSink, ClientConnectionCallbacks, RequestEncoder, ResponseDecoder, PooledConnection
{
  streamsBefore: number = 0;
  readonly #pool: Http1Pool;
  readonly #codec: ClientConnection;
  #state: number = State.Connecting;
  #decoder: ResponseDecoder | null = null;
  #encoder: RequestEncoder | null = null;
  #streams: number = 0;
  #readDisables: number = 0;
  #completion: number = Completion.None;
  #isInCodec: boolean = false;
  #hasResponseBytes: boolean = false;
  #isBackedUp: boolean = false;
  /** The peer sent FIN or RST. */
  #isRemoteGone: boolean = false;
  /** The socket is gone: nothing is left to close. */
  #isSocketGone: boolean = false;
  /** The peer broke the protocol between responses. */
  #isSpoilt: boolean = false;
  #isTooOld: boolean = false;
  /** What waits leaves before the connection closes. */
  #isFlushing: boolean = false;
  /** Of that, what had not left when the last look was taken. */
  #flushBytes: number = 0;
  #idleDeadlineMs: number = Number.POSITIVE_INFINITY;
  #lifeDeadlineMs: number = Number.POSITIVE_INFINITY;

  constructor(pool: Http1Pool, cluster: Cluster, host: Host) {
    super(cluster, host, pool.options, http1Protocols);
    this.#pool = pool;
    this.#codec = cluster.context.createCodec(this, this, cluster.config.http1);
    this.stats.cxHttp1Total.inc();
  }

  get protocol(): number {
    return this.#codec.protocol;
  }

  get isBusy(): boolean {
    return this.#state === State.Busy;
  }

  // ---- For the pool.

  /** Gives the connection to a request; it must be idle. */
  startStream(callbacks: PoolCallbacks): void {
    assert(this.#state === State.Idle);
    this.#state = State.Busy;
    this.streamsBefore = this.#streams;
    this.#streams += 1;
    this.#completion = Completion.None;
    this.#hasResponseBytes = false;
    this.#isBackedUp = false;
    this.countRequest();
    this.#pool.breaker.requests.increase();
    this.#decoder = callbacks.decoder;
    this.#encoder = this.#codec.newStream(this);
    callbacks.onPoolReady(this, this.host, this);
  }

  /** The pool keeps it for later requests. */
  becomeIdle(): void {
    assert(this.#state === State.Idle);
    const { clock, timers } = this.cluster.context;
    const idleMs = this.cluster.config.idleTimeoutMs;
    this.#idleDeadlineMs = idleMs > 0 ? clock.nowMs + idleMs : Number.POSITIVE_INFINITY;
    const deadline = Math.min(this.#idleDeadlineMs, this.#lifeDeadlineMs);
    if (deadline !== Number.POSITIVE_INFINITY) timers.schedule(this, deadline);
  }

  /** Closes at once; a stream that is under way is told. */
  closeNow(): void {
    if (this.#state === State.Connecting) {
      this.onFailed(PoolFailureReason.LocalConnectionFailure, "");
    } else this.#terminate(false, StreamResetReason.ConnectionTermination, "");
  }

  // ---- TimerEntry: idle timeout, the end of its life, or of the patience with a peer.

  override onDeadline(): void {
    const { clock, timers } = this.cluster.context;
    if (this.#state === State.Closed) {
      this.#watchFlush();
      return;
    }
    if (clock.nowMs >= this.#lifeDeadlineMs) {
      if (this.#isTooOld) return;
      this.#isTooOld = true;
      this.stats.cxMaxDurationReached.inc();
      if (this.#state === State.Idle) this.#terminate(false, noReset, "");
      return;
    }
    if (this.#state === State.Idle && clock.nowMs >= this.#idleDeadlineMs) {
      this.stats.cxIdleTimeout.inc();
      this.#terminate(false, noReset, "");
      return;
    }
    const isIdle = this.#state === State.Idle;
    const next = isIdle
      ? Math.min(this.#idleDeadlineMs, this.#lifeDeadlineMs)
      : this.#lifeDeadlineMs;
    if (next !== Number.POSITIVE_INFINITY) timers.schedule(this, next);
  }

  // ---- PoolSocket.

  override onReady(): void {
    const { clock, timers } = this.cluster.context;
    const lifeMs = this.cluster.config.maxConnectionDurationMs;
    this.#state = State.Idle;
    if (lifeMs > 0) {
      this.#lifeDeadlineMs = clock.nowMs + lifeMs;
      timers.schedule(this, this.#lifeDeadlineMs);
    }
    this.#pool.onConnected(this);
  }

  override onFailed(reason: PoolFailureReason, transportFailure: string): void {
    const isRemote = reason === PoolFailureReason.RemoteConnectionFailure;
    this.countConnectFailure();
    this.#leave(isRemote, false);
    this.#pool.onConnectFailed(reason, transportFailure);
  }

  onRead(buffer: Buffer, length: number): void {
    if (this.#state === State.Closed) return;
    this.stats.cxRxBytesTotal.add(length);
    if (this.#state !== State.Busy) {
      // Nobody asked: whatever it is, the next answer must not begin with it. A 408 is how some
      // servers say that they close an idle connection: no error, as in Envoy.
      if (!isRequestTimeout(buffer, length)) this.stats.cxProtocolError.inc();
      this.#terminate(false, noReset, "");
      return;
    }
    this.#hasResponseBytes = true;
    this.#isInCodec = true;
    this.#codec.dispatch(buffer, length);
    this.#isInCodec = false;
    this.#settle();
  }

  onWritable(): void {
    this.setTxBuffered(0);
    if (this.#state !== State.Busy) return;
    this.#codec.onWritable();
  }

  onEnd(): void {
    if (this.#state === State.Closed) return;
    this.#isRemoteGone = true;
    this.#endOfInput();
  }

  onClose(_reason: CloseReason, _code: string): void {
    if (this.#state === State.Closed) return;
    this.#isSocketGone = true;
    this.#isRemoteGone = true;
    this.#endOfInput();
  }

  // ---- ByteSink: the codec writes.

  write(bytes: Buffer): boolean {
    this.stats.cxTxBytesTotal.add(bytes.length);
    return this.#flows(this.io.write(bytes));
  }

  writeText(text: string): boolean {
    this.stats.cxTxBytesTotal.add(text.length);
    return this.#flows(this.io.writeText(text));
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    this.stats.cxTxBytesTotal.add(to - from);
    return this.#flows(this.io.writeLent(buffer, from, to));
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.stats.cxTxBytesTotal.add(before.length + to - from + behind.length);
    return this.#flows(this.io.writeFramed(before, buffer, from, to, behind));
  }

  unread(bytes: Buffer): void {
    this.io.unread(bytes);
  }

  /** Also RequestEncoder's: on HTTP/1 a stream's reading is the connection's. */
  readDisable(disabled: boolean): void {
    if (disabled) {
      this.#readDisables += 1;
      if (this.#readDisables === 1) this.stats.flowPausedReading.inc();
    } else {
      if (this.#readDisables === 0) return;
      this.#readDisables -= 1;
      if (this.#readDisables === 0) this.stats.flowResumedReading.inc();
    }
    if (this.#state !== State.Closed) this.io.readDisable(disabled);
  }

  // ---- ClientConnectionCallbacks: the codec reports.

  onStreamComplete(reusable: boolean): void {
    if (this.#state !== State.Busy) return;
    this.#completion = reusable ? Completion.Reusable : Completion.LastOne;
    if (!this.#isInCodec) this.#settle();
  }

  onGoAway(): void {
    this.#isSpoilt = true;
  }

  onProtocolError(): void {
    if (this.#state !== State.Closed) this.stats.cxProtocolError.inc();
  }

  // ---- RequestEncoder: the router writes.

  /** To be asked for while there is a stream. */
  get bytes(): BytesMeter {
    const encoder = this.#encoder;
    assert(encoder !== null);
    return encoder.bytes;
  }

  encodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.#encoder?.encodeHeaders(headers, endStream);
  }

  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean {
    const encoder = this.#encoder;
    if (encoder === null) return true;
    const isFlowing = encoder.encodeData(buffer, from, to, endStream);
    if (!isFlowing && !this.#isBackedUp) {
      this.#isBackedUp = true;
      this.stats.flowBackedUp.inc();
    }
    return isFlowing;
  }

  encodeTrailers(trailers: HeaderMap): void {
    this.#encoder?.encodeTrailers(trailers);
  }

  resetStream(reason: StreamResetReason): void {
    if (this.#state !== State.Busy) return;
    const encoder = this.#encoder;
    this.#terminate(false, noReset, "");
    encoder?.resetStream(reason);
  }

  startTunnel(): void {
    this.#encoder?.startTunnel();
  }

  endTunnel(): void {
    this.#isFlushing = true;
    this.resetStream(StreamResetReason.LocalReset);
  }

  // ---- ResponseDecoder: the codec gives the response, the router gets it.

  responseHeaders(): HeaderMap {
    const decoder = this.#decoder;
    assert(decoder !== null);
    return decoder.responseHeaders();
  }

  decodeInformational(headers: HeaderMap): void {
    this.#decoder?.decodeInformational(headers);
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.#decoder?.decodeHeaders(headers, endStream);
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.#decoder?.decodeData(buffer, from, to, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#decoder?.decodeTrailers(trailers);
  }

  onResetStream(reason: StreamResetReason, failureReason: string): void {
    if (this.#state !== State.Busy) return;
    this.#terminate(this.#isRemoteGone, reason, failureReason);
  }

  onEncodeWritable(): void {
    if (this.#isBackedUp) {
      this.#isBackedUp = false;
      this.stats.flowDrained.inc();
    }
    this.#decoder?.onEncodeWritable();
  }

  // ---- Private parts.

  /** Counts what the kernel did not take, which stops its source. */
  #flows(isTaken: boolean): boolean {
    if (!isTaken) this.setTxBuffered(this.io.writeQueueBytes);
    return isTaken;
  }

  /** No more bytes will come. They may end a body, break one, or mean that nothing was answered. */
  #endOfInput(): void {
    if (this.#state !== State.Busy) {
      this.#terminate(true, noReset, "");
      return;
    }
    if (this.#hasResponseBytes) {
      this.#isInCodec = true;
      this.#codec.onEnd();
      this.#isInCodec = false;
      this.#settle();
      if (this.#state !== State.Busy) return;
    }
    // The codec is told first, that it may let go; onResetStream above then does the rest.
    this.#codec.onClose(StreamResetReason.ConnectionTermination, "");
    this.#terminate(true, StreamResetReason.ConnectionTermination, "");
  }

  /**
   * After the codec returned: the stream is complete, or not yet. Not from inside dispatch, because
   * bytes that follow the response in the same read spoil the connection for the next request.
   */
  #settle(): void {
    if (this.#state !== State.Busy || this.#completion === Completion.None) return;
    const isReusable = this.#completion === Completion.Reusable;
    this.#endStream();
    this.#state = State.Idle;
    if (!isReusable && !this.#isSpoilt) this.stats.cxCloseNotify.inc();
    if (this.#isRemoteGone) this.#terminate(true, noReset, "");
    else if (!isReusable || this.#isSpoilt || this.#isTooOld) this.#terminate(false, noReset, "");
    else if (this.#isWornOut()) {
      this.stats.cxMaxRequests.inc();
      this.#terminate(false, noReset, "");
    } else this.#pool.onReady(this);
  }

  #isWornOut(): boolean {
    const max = this.cluster.config.maxRequestsPerConnection;
    return max > 0 && this.#streams >= max;
  }

  #endStream(): void {
    this.#decoder = null;
    this.#encoder = null;
    this.#completion = Completion.None;
    this.countRequestEnd();
    this.#pool.breaker.requests.decrease();
    while (this.#readDisables > 0) this.readDisable(false);
  }

  #terminate(isRemote: boolean, reason: StreamResetReason | -1, failure: string): void {
    if (this.#state === State.Closed) return;
    const decoder = this.#decoder;
    this.stats.rqPerCx.record(this.#streams);
    this.#leave(isRemote, decoder !== null);
    if (decoder !== null && reason !== noReset) decoder.onResetStream(reason, failure);
    this.#pool.onClosed();
  }

  /** Out of the pool, and counted, before anybody is told: who is told may ask for a new stream. */
  #leave(isRemote: boolean, hadStream: boolean): void {
    const wasConnecting = this.#state === State.Connecting;
    if (hadStream) this.#endStream();
    this.#state = State.Closed;
    this.countEnd(isRemote, hadStream);
    this.#pool.remove(this, wasConnecting);
    if (wasConnecting) {
      this.abandonConnect();
      return;
    }
    if (this.#isSocketGone) return;
    // A request that was cut short, or answered before it was out, is not worth waiting for.
    if (!this.#isFlushing && this.io.writeQueueBytes > 0) this.io.reset();
    else {
      this.io.close();
      this.#flushBytes = Number.POSITIVE_INFINITY;
      this.#watchFlush();
    }
  }

  /** A closed connection whose peer takes nothing would stay for ever. */
  #watchFlush(): void {
    const { clock, timers } = this.cluster.context;
    const waiting = this.io.writeQueueBytes;
    if (waiting === 0) return;
    if (waiting < this.#flushBytes) {
      this.#flushBytes = waiting;
      timers.schedule(this, clock.nowMs + flushTimeoutMs);
    } else {
      this.stats.cxFlushTimeout.inc();
      this.io.reset();
    }
  }
}

/** True when the bytes begin with `HTTP/1.x 408`. */
function isRequestTimeout(buffer: Buffer, length: number): boolean {
  if (length < 12) return false;
  return (
    buffer.toString("latin1", 0, 7) === "HTTP/1." && buffer.toString("latin1", 8, 12) === " 408"
  );
}
