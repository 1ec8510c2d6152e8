// The network filter that speaks HTTP: one per downstream connection. Joins the codec with streams,
// watches the connection's timeouts, and closes it when streams or the drain say so.
//
//   Serving -- idle timeout, max duration --> Draining (the next answer says close) --> Closing
//
// The object is its own timer entry: it is looked at now and then and finds out whether the stream
// or the connection was idle for too long, so that requests touch no timer.
import type {
  ByteSink,
  CodecError,
  RequestDecoder,
  ResponseEncoder,
  ServerConnectionCallbacks,
} from "../codec/codec.ts";
import { Http1ServerConnection } from "../codec/http1/server-connection.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
} from "../filter/network-filter.ts";
import { ActiveStream } from "./active-stream.ts";
import type { HcmContext, StreamCodec } from "./hcm-context.ts";
import { headTimeout } from "./replies.ts";
import { StreamTimeout, type StreamTimeoutReceiver, StreamTimer } from "./stream-timer.ts";

/**
 * About 8 KiB each. With 128, 1000 requests in flight cost 10 us each instead of 4: streams that
 * find no place here are promoted by the collector before they die (bench/micro request).
 */
const SPARE_STREAMS_MAX = 1024;

/**
 * A listener that goes away lets clients that were heard within this time send one more request,
 * which tells them to leave: they are about to send it, and would lose it on a closed connection.
 */
const SHUTDOWN_GRACE_MS = 1000;

export class HcmFactory implements NetworkFilterFactory {
  readonly context: HcmContext;
  readonly #spare: ActiveStream[];
  /**
   * Over, but code of theirs may still be on the stack. Emptied by its count: V8 sets an array's
   * length in its runtime and allocates its elements anew, 1.6 us a turn with one connection.
   */
  readonly #ended: (ActiveStream | null)[];
  #endedCount: number = 0;

  constructor(context: HcmContext) {
    this.context = context;
    this.#spare = [];
    this.#ended = [];
  }

  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter {
    return new ConnectionManager(this, callbacks);
  }

  /** A stream of this manager, ready for start(). */
  takeStream(): ActiveStream {
    return this.#spare.pop() ?? new ActiveStream(this.context);
  }

  giveStream(stream: ActiveStream): void {
    this.#ended[this.#endedCount] = stream;
    this.#endedCount += 1;
  }

  /** Only from the outermost call of a turn: nothing of an ended stream is running then. */
  recycleStreams(): void {
    const ended = this.#ended;
    for (let i = 0; i < this.#endedCount; i += 1) {
      const stream = ended[i] as ActiveStream;
      ended[i] = null;
      stream.recycle();
      if (this.#spare.length < SPARE_STREAMS_MAX) this.#spare.push(stream);
      else this.context.stats.streamsNotKept.inc();
    }
    this.#endedCount = 0;
  }
}

export class ConnectionManager
  extends TimerEntry
  implements NetworkFilter, ServerConnectionCallbacks, StreamTimeoutReceiver, ByteSink
{
  readonly callbacks: NetworkFilterCallbacks;
  readonly #factory: HcmFactory;
  readonly #context: HcmContext;
  /** Null until bytes come: a connection that never speaks has spoken no protocol. */
  #codec: StreamCodec | null = null;
  #stream: ActiveStream | null = null;
  #streamCount: number = 0;
  /** When the connection had its last stream, or was made. */
  #idleSinceMs: number = 0;
  /** The next answer says `connection: close`. */
  #isDraining: boolean = false;
  /** The codec is done with the connection: it closes when the stream has ended. */
  #isClosing: boolean = false;
  #isClosed: boolean = false;
  #isShutdown: boolean = false;
  /** The client may still send or read: it gets time before the connection is cut. */
  #closesDelayed: boolean = false;
  /** The peer sent FIN or its connection broke. */
  isPeerGone: boolean = false;
  /** A stream was under way when the peer left. */
  #hadStreamAtEnd: boolean = false;
  /** It stands in the gauge of connections that leave with their next answer. */
  #isSoftDraining: boolean = false;
  /** What it has in the gauges of buffered bytes. */
  readonly #isTls: boolean;
  #txBuffered: number = 0;
  #rxBuffered: number = 0;
  // Only with the timeouts that need them.
  #headersTimer: StreamTimer | null = null;
  #durationTimer: StreamTimer | null = null;
  #drainTimer: StreamTimer | null = null;
  #shutdownTimer: StreamTimer | null = null;

  constructor(factory: HcmFactory, callbacks: NetworkFilterCallbacks) {
    super();
    const context = factory.context;
    const { clock, stats } = context;
    this.callbacks = callbacks;
    this.#factory = factory;
    this.#context = context;
    this.#idleSinceMs = clock.nowMs;
    stats.cxTotal.inc();
    stats.cxActive.inc();
    this.#isTls = callbacks.info.tls !== null;
    if (this.#isTls) {
      stats.cxSslTotal.inc();
      stats.cxSslActive.inc();
    }
    callbacks.setFlushTimeout(context.config.delayedCloseTimeoutMs);
    this.onTimeoutsChanged();
  }

  // ---- NetworkFilter.

  /** It waits for the client to speak. */
  onNewConnection(): void {}

  onData(buffer: Buffer, length: number): void {
    this.#factory.recycleStreams();
    if (this.#isClosed) return;
    this.#context.stats.cxRxBytesTotal.add(length);
    if (this.#rxBuffered > 0) this.#setRxBuffered(0);
    if (this.#codec === null && this.#context.overload.shedCodec.occurs()) {
      this.#context.stats.rqOverloadClose.inc();
      this.callbacks.closeAfterFlush(this.#context.config.delayedCloseTimeoutMs);
      return;
    }
    const codec = this.#codec ?? this.#startCodec();
    codec.dispatch(buffer, length);
    if (this.#context.config.requestHeadersTimeoutMs > 0) this.#watchHead();
  }

  /** As Envoy: an HTTP/1 client that says FIN is gone, answered or not. */
  onEnd(): void {
    this.isPeerGone = true;
    this.#hadStreamAtEnd = this.#stream !== null;
    this.#codec?.onEnd();
    this.callbacks.closeAfterFlush(0);
  }

  onWritable(): void {
    this.#setTxBuffered(0);
    const codec = this.#codec;
    if (codec === null) return;
    if (codec.isWriteBlocked) this.#context.stats.flowControlResumed.inc();
    codec.onWritable();
  }

  onClose(remote: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { clock, stats, timers } = this.#context;
    const hadStream = this.#hadStreamAtEnd || this.#stream !== null;
    this.isPeerGone = this.isPeerGone || remote;
    this.#codec?.onClose();
    timers.cancel(this);
    this.#cancel(this.#headersTimer);
    this.#cancel(this.#durationTimer);
    this.#cancel(this.#drainTimer);
    this.#cancel(this.#shutdownTimer);
    this.#setTxBuffered(0);
    this.#setRxBuffered(0);
    if (this.#isSoftDraining) stats.cxHttp1SoftDrain.dec();
    stats.cxActive.dec();
    if (this.#isTls) stats.cxSslActive.dec();
    if (this.#codec !== null) stats.cxHttp1Active.dec();
    stats.cxDestroy.inc();
    (this.isPeerGone ? stats.cxDestroyRemote : stats.cxDestroyLocal).inc();
    if (hadStream) {
      stats.cxDestroyActiveRq.inc();
      (this.isPeerGone ? stats.cxDestroyRemoteActiveRq : stats.cxDestroyLocalActiveRq).inc();
    }
    stats.cxLengthMs.record(Math.trunc(clock.nowMs - this.callbacks.info.startMs));
  }

  onDelayedCloseTimeout(): void {
    this.#context.stats.cxDelayedCloseTimeout.inc();
  }

  /** Also at the start: from now on the timeouts are what they are now. */
  onTimeoutsChanged(): void {
    const { clock, overload, timers } = this.#context;
    if (this.#isClosed) return;
    const limitMs = this.#idleLimitMs();
    if (limitMs > 0) this.checkWithin(Math.max(0, this.#activeAtMs() + limitMs - clock.nowMs));
    const durationMs = overload.connectionMaxMs(this.#maxDurationMs());
    if (durationMs === 0 || this.#isDraining) return;
    this.#durationTimer ??= new StreamTimer(this, StreamTimeout.ConnectionDuration);
    timers.schedule(this.#durationTimer, this.callbacks.info.startMs + durationMs);
  }

  onShutdown(): void {
    if (this.#isShutdown) return;
    this.#isShutdown = true;
    this.#codec?.startDrain();
    this.#closeIfSilent();
  }

  // ---- ByteSink: the codec's way to the connection, which counts what is sent.

  write(bytes: Buffer): boolean {
    this.#context.stats.cxTxBytesTotal.add(bytes.length);
    return this.#flows(this.callbacks.io.write(bytes));
  }

  writeText(text: string): boolean {
    this.#context.stats.cxTxBytesTotal.add(text.length);
    return this.#flows(this.callbacks.io.writeText(text));
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    this.#context.stats.cxTxBytesTotal.add(to - from);
    return this.#flows(this.callbacks.io.writeLent(buffer, from, to));
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.#context.stats.cxTxBytesTotal.add(before.length + to - from + behind.length);
    return this.#flows(this.callbacks.io.writeFramed(before, buffer, from, to, behind));
  }

  readDisable(disabled: boolean): void {
    this.callbacks.io.readDisable(disabled);
  }

  unread(bytes: Buffer): void {
    this.#context.stats.cxRxBytesTotal.add(-bytes.length);
    this.#setRxBuffered(this.#rxBuffered + bytes.length);
    this.callbacks.io.unread(bytes);
  }

  // ---- ServerConnectionCallbacks.

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const { config, stats } = this.#context;
    const codec = this.#codec as StreamCodec;
    this.#cancel(this.#headersTimer);
    const stream = this.#factory.takeStream();
    this.#stream = stream;
    this.#streamCount += 1;
    const requestsMax = config.maxRequestsPerConnection;
    if (requestsMax > 0 && this.#streamCount >= requestsMax) {
      stats.cxMaxRequestsReached.inc();
      codec.startDrain();
    }
    stream.start(this, encoder, codec.protocol);
    if (config.streamIdleTimeoutMs > 0) {
      this.checkWithin(this.#context.overload.streamIdleMs(config.streamIdleTimeoutMs));
    }
    return stream;
  }

  onProtocolError(_error: CodecError): void {
    this.#context.stats.cxProtocolError.inc();
    const whole = this.callbacks.info.stream;
    if (whole !== null) whole.responseFlags |= ResponseFlag.DownstreamProtocolError;
  }

  /** From inside the codec: the stream itself ends when its call into the codec has returned. */
  onStreamComplete(closeConnection: boolean): void {
    if (!closeConnection) {
      if (this.#codec?.isWriteBlocked === true) this.#context.stats.flowControlPaused.inc();
      return;
    }
    this.#isClosing = true;
    if (this.#stream === null) this.#closeConnection();
  }

  // ---- For streams.

  /** The next answer asks the client to leave. Looked at when response headers go out. */
  drainIfAsked(): void {
    if (this.#isDraining) return;
    const { drain, overload, stats } = this.#context;
    if (drain.drainClose()) {
      stats.cxDrainClose.inc();
      this.#startDrainSequence();
    } else if (overload.disableKeepAlive.occurs()) {
      stats.cxOverloadDisableKeepAlive.inc();
      this.#isDraining = true;
      this.#codec?.startDrain();
    }
  }

  /** A stream may be idle for less time than passes until the next look. */
  checkWithin(intervalMs: number): void {
    const at = this.#context.clock.nowMs + intervalMs;
    if (!this.isScheduled || at < this.deadlineMs) this.#context.timers.schedule(this, at);
  }

  /** The stream is over: counted, logged, let go. */
  onStreamEnded(stream: ActiveStream): void {
    this.#stream = null;
    this.#idleSinceMs = this.#context.clock.nowMs;
    this.#closesDelayed = stream.closesDelayed;
    this.#factory.giveStream(stream);
    if (this.#isClosing) {
      this.#closeConnection();
      return;
    }
    const limitMs = this.#idleLimitMs();
    if (limitMs > 0 && !this.#isClosed) this.checkWithin(limitMs);
  }

  // ---- Timers.

  /** The look around: whoever was idle too long hears of it, otherwise the next look is planned. */
  override onDeadline(): void {
    const { clock, timers } = this.#context;
    const stream = this.#stream;
    const limitMs = this.#idleLimitMs();
    if (limitMs === 0) return;
    const sinceMs = this.#activeAtMs();
    if (sinceMs + limitMs > clock.nowMs) timers.schedule(this, sinceMs + limitMs);
    else if (stream !== null) stream.onIdleTimeout();
    else this.#onIdle();
  }

  onStreamTimeout(kind: StreamTimeout): void {
    const { config, stats } = this.#context;
    if (kind === StreamTimeout.RequestHeaders) {
      if (this.#codec?.isReadingHead !== true) return;
      stats.rqHeaderTimeout.inc();
      this.#codec.abortHead(headTimeout);
    } else if (kind === StreamTimeout.ConnectionDuration) {
      stats.cxMaxDurationReached.inc();
      if (config.http1SafeMaxConnectionDuration && this.#codec !== null) this.#askToLeave();
      else this.#startDrainSequence();
    } else if (kind === StreamTimeout.Drain) {
      // A response whose head is out has not said close: the connection ends with it nevertheless.
      this.#isClosing = true;
      if (this.#stream === null) this.callbacks.closeAfterFlush(config.delayedCloseTimeoutMs);
    } else if (kind === StreamTimeout.Shutdown) this.#closeIfSilent();
  }

  // ---- Private parts.

  /** With the jitter: the same for a connection each time. */
  #maxDurationMs(): number {
    const { maxConnectionDurationMs, maxConnectionDurationJitter } = this.#context.config;
    if (maxConnectionDurationJitter === 0) return maxConnectionDurationMs;
    const chance = (Math.imul(this.callbacks.info.connectionId, 0x9e3779b1) >>> 0) / 2 ** 32;
    return maxConnectionDurationMs * (1 + maxConnectionDurationJitter * chance);
  }

  /** The next answer says close, and no time is set for it. */
  #askToLeave(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#isSoftDraining = true;
    this.#context.stats.cxHttp1SoftDrain.inc();
    this.#codec?.startDrain();
  }

  /** Counts what the kernel did not take, which stops its source. */
  #flows(isTaken: boolean): boolean {
    if (!isTaken) this.#setTxBuffered(this.callbacks.io.writeQueueBytes);
    return isTaken;
  }

  #setTxBuffered(bytes: number): void {
    this.#context.stats.cxTxBytesBuffered.add(bytes - this.#txBuffered);
    this.#txBuffered = bytes;
  }

  #setRxBuffered(bytes: number): void {
    this.#context.stats.cxRxBytesBuffered.add(bytes - this.#rxBuffered);
    this.#rxBuffered = bytes;
  }

  /** The stream's idle timeout while there is one, else the connection's; 0 = none. */
  #idleLimitMs(): number {
    const { config, overload } = this.#context;
    const stream = this.#stream;
    return stream === null
      ? overload.connectionIdleMs(config.idleTimeoutMs)
      : overload.streamIdleMs(stream.idleTimeoutMs);
  }

  #activeAtMs(): number {
    return this.#stream === null ? this.#idleSinceMs : this.#stream.lastActivityMs;
  }

  #startCodec(): StreamCodec {
    const { config, createCodec, http1, http1Stats, stats } = this.#context;
    const codec =
      createCodec?.(this, this) ??
      new Http1ServerConnection(this, this, config.http1, http1, http1Stats);
    this.#codec = codec;
    stats.cxHttp1Total.inc();
    stats.cxHttp1Active.inc();
    if (this.#isDraining || this.#isShutdown) codec.startDrain();
    return codec;
  }

  /** After shutdown: idle for long enough, and not in the middle of a request's head. */
  #closeIfSilent(): void {
    // A stream that ends closes the connection.
    if (this.#stream !== null) return;
    const { clock, config, timers } = this.#context;
    const graceMs = this.#idleSinceMs + SHUTDOWN_GRACE_MS - clock.nowMs;
    const isReadingHead = this.#codec?.isReadingHead === true;
    if (graceMs <= 0 && !isReadingHead) {
      this.callbacks.closeAfterFin(config.delayedCloseTimeoutMs);
      return;
    }
    this.#shutdownTimer ??= new StreamTimer(this, StreamTimeout.Shutdown);
    timers.schedule(
      this.#shutdownTimer,
      clock.nowMs + (isReadingHead ? SHUTDOWN_GRACE_MS : graceMs),
    );
  }

  #onIdle(): void {
    if (this.#isDraining) return;
    this.#context.stats.cxIdleTimeout.inc();
    this.#startDrainSequence();
  }

  /**
   * As Envoy: a connection that has spoken HTTP gets drain_timeout to leave, others close at once.
   */
  #startDrainSequence(): void {
    const { clock, config, timers } = this.#context;
    if (this.#codec === null) {
      this.callbacks.closeAfterFlush(0);
      return;
    }
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#codec.startDrain();
    this.#drainTimer = new StreamTimer(this, StreamTimeout.Drain);
    timers.schedule(this.#drainTimer, clock.nowMs + config.drainTimeoutMs);
  }

  #watchHead(): void {
    const { clock, config, timers } = this.#context;
    if (this.#codec?.isReadingHead !== true) {
      this.#cancel(this.#headersTimer);
      return;
    }
    this.#headersTimer ??= new StreamTimer(this, StreamTimeout.RequestHeaders);
    if (this.#headersTimer.isScheduled) return;
    timers.schedule(this.#headersTimer, clock.nowMs + config.requestHeadersTimeoutMs);
  }

  #cancel(timer: StreamTimer | null): void {
    if (timer !== null) this.#context.timers.cancel(timer);
  }

  /** A client that may still send gets time to read the answer before the connection is cut. */
  #closeConnection(): void {
    const { delayedCloseTimeoutMs } = this.#context.config;
    if (this.#isShutdown && !this.isPeerGone) {
      this.callbacks.closeAfterFin(delayedCloseTimeoutMs);
      return;
    }
    // Who sends on without waiting for answers would meet a reset, which could take the last one.
    const isSlow = this.#closesDelayed || this.#isDraining || this.#rxBuffered > 0;
    this.callbacks.closeAfterFlush(isSlow && !this.isPeerGone ? delayedCloseTimeoutMs : 0);
  }
}
