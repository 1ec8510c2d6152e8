// One connection of an HTTP/2 pool: connects, gives its socket to the codec, and counts the streams
// that run on it. Made by Http2Pool.
//
//   Connecting -- onReady --> Open -- GOAWAY, age, drain --> Leaving -- last stream ends --> Closed
//        \_______________________ the socket breaks, closeNow __________________________/
import { Protocol } from "../../core/stream-info.ts";
import { defaultHttp2Options } from "../../core/http2-options.ts";
import { Http2ClientSession } from "../../codec/http2/client-session.ts";
import type { Http2ClientStream } from "../../codec/http2/client-stream.ts";
import type { Http2SessionCallbacks } from "../../codec/http2/client-session.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { PoolFailureReason, type PoolCallbacks, type PooledConnection } from "./conn-pool.ts";
import type { Http2Pool } from "./http2-pool.ts";
import { PoolSocket } from "./pool-socket.ts";

/** For ALPN. */
const http2Protocols: readonly string[] = ["h2"];

const State = { Connecting: 0, Open: 1, Leaving: 2, Closed: 3 } as const;

export class Http2PoolConnection
  extends PoolSocket
  implements Http2SessionCallbacks, PooledConnection
{
  readonly protocol: number = Protocol.Http2;
  streamsBefore: number = 0;
  readonly #pool: Http2Pool;
  #state: number = State.Connecting;
  #session: Http2ClientSession | null = null;
  #streams: number = 0;
  /** Streams that are counted as under way. */
  #active: number = 0;
  #idleDeadlineMs: number = Number.POSITIVE_INFINITY;
  #lifeDeadlineMs: number = Number.POSITIVE_INFINITY;

  constructor(pool: Http2Pool, cluster: Cluster, host: Host) {
    super(cluster, host, pool.options, http2Protocols);
    this.#pool = pool;
    this.stats.cxHttp2Total.inc();
  }

  get activeStreams(): number {
    return this.#active;
  }

  /** Whether another request may begin on it. */
  get canOpen(): boolean {
    return this.#state === State.Open && this.#session?.canOpen === true && !this.#isWornOut();
  }

  /** It will tell soon how many more requests it takes. */
  get isWarming(): boolean {
    return this.#state === State.Open && this.#session?.isSettled === false;
  }

  // ---- For the pool.

  /** Begins a request; it must be able to. */
  startStream(callbacks: PoolCallbacks): void {
    const session = this.#session as Http2ClientSession;
    this.streamsBefore = this.#streams;
    this.#streams += 1;
    this.#active += 1;
    this.#idleDeadlineMs = Number.POSITIVE_INFINITY;
    this.countRequest();
    this.#pool.breaker.requests.increase();
    callbacks.onPoolReady(session.newStream(callbacks.decoder), this.host, this);
  }

  /** Lets its requests finish. */
  drain(): void {
    if (this.#state === State.Open) this.#state = State.Leaving;
    this.closeIfIdle();
  }

  closeIfIdle(): void {
    if (this.#active > 0 || this.#state === State.Connecting) return;
    this.#terminate(false, false);
  }

  /** Closes at once; requests that are under way are told. */
  closeNow(): void {
    if (this.#state === State.Connecting) {
      this.onFailed(PoolFailureReason.LocalConnectionFailure, "");
      return;
    }
    const hadStreams = this.#active > 0;
    this.#state = State.Leaving;
    this.#session?.failStreams();
    this.#terminate(false, hadStreams);
  }

  // ---- TimerEntry: idle timeout or the end of its life.

  override onDeadline(): void {
    const { clock } = this.cluster.context;
    if (clock.nowMs >= this.#lifeDeadlineMs) {
      this.#lifeDeadlineMs = Number.POSITIVE_INFINITY;
      this.stats.cxMaxDurationReached.inc();
      this.drain();
    } else if (this.#active === 0 && clock.nowMs >= this.#idleDeadlineMs) {
      this.stats.cxIdleTimeout.inc();
      this.#terminate(false, false);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#state === State.Closed) return;
    const deadline = Math.min(this.#idleDeadlineMs, this.#lifeDeadlineMs);
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.cluster.context.timers.schedule(this, deadline);
  }

  // ---- PoolSocket.

  override onReady(): void {
    const { engine, clock } = this.cluster.context;
    const { http2, maxConnectionDurationMs } = this.cluster.config;
    this.#state = State.Open;
    const runTurn = (callback: () => void): void => engine.runTurn(callback);
    const options = http2 ?? defaultHttp2Options;
    this.#session = new Http2ClientSession(this.io.detach(), options, runTurn, this);
    if (maxConnectionDurationMs > 0) this.#lifeDeadlineMs = clock.nowMs + maxConnectionDurationMs;
    this.#becomeIdle();
    this.#pool.onConnected();
  }

  override onFailed(reason: PoolFailureReason, _transportFailure: string): void {
    this.countConnectFailure();
    this.#leave(reason === PoolFailureReason.RemoteConnectionFailure, false);
    this.#pool.onConnectFailed(reason, _transportFailure);
  }

  // The socket is the session's: nothing comes here.
  onRead(_buffer: Buffer, _length: number): void {}
  onWritable(): void {}
  onEnd(): void {}

  // ---- Http2SessionCallbacks. `onClose` is IoEvents' too, which never comes once the socket is
  // given away.

  onStreamEnd(stream: Http2ClientStream): void {
    if (this.#active === 0) return;
    this.stats.cxRxBytesTotal.add(stream.bytes.received);
    this.stats.cxTxBytesTotal.add(stream.bytes.sent);
    if (stream.end === "remote") this.stats.rqRxReset.inc();
    else if (stream.end === "local") this.stats.rqTxReset.inc();
    this.#active -= 1;
    this.countRequestEnd();
    this.#pool.breaker.requests.decrease();
    if (this.#state === State.Closed) return;
    if (this.#isWornOut() && this.#state === State.Open) {
      this.stats.cxMaxRequests.inc();
      this.#state = State.Leaving;
    }
    if (this.#active === 0 && this.#state === State.Leaving) {
      this.#terminate(false, false);
      return;
    }
    if (this.#active === 0) this.#becomeIdle();
    this.#pool.onCapacity();
  }

  onReadDisabled(disabled: boolean): void {
    (disabled ? this.stats.flowPausedReading : this.stats.flowResumedReading).inc();
  }

  onBackedUp(isBackedUp: boolean): void {
    (isBackedUp ? this.stats.flowBackedUp : this.stats.flowDrained).inc();
  }

  onSettings(): void {
    if (this.#state === State.Open) this.#pool.onCapacity();
  }

  onGoAway(): void {
    if (this.#state !== State.Open) return;
    this.stats.cxCloseNotify.inc();
    this.drain();
  }

  onSessionClose(isProtocolError: boolean, hadStreams: boolean): void {
    if (this.#state === State.Closed) return;
    if (isProtocolError) this.stats.cxProtocolError.inc();
    this.#terminate(true, hadStreams);
  }

  onClose(): void {}

  // ---- Private parts.

  #isWornOut(): boolean {
    const max = this.cluster.config.maxRequestsPerConnection;
    return max > 0 && this.#streams >= max;
  }

  #becomeIdle(): void {
    const { clock } = this.cluster.context;
    const { idleTimeoutMs } = this.cluster.config;
    if (idleTimeoutMs > 0) this.#idleDeadlineMs = clock.nowMs + idleTimeoutMs;
    this.#schedule();
  }

  #terminate(isRemote: boolean, hadStreams: boolean): void {
    if (this.#state === State.Closed) return;
    this.stats.rqPerCx.record(this.#streams);
    this.#leave(isRemote, hadStreams);
    this.#pool.onClosed();
  }

  #leave(isRemote: boolean, hadStreams: boolean): void {
    const wasConnecting = this.#state === State.Connecting;
    this.#state = State.Closed;
    this.countEnd(isRemote, hadStreams);
    this.#pool.remove(this, wasConnecting);
    if (wasConnecting) this.abandonConnect();
    this.#session?.destroy();
  }
}
