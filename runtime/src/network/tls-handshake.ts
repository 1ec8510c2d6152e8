// The TLS handshake of an accepted connection, between the choice of its filter chain and the first
// byte that its network filter gets. The connection is on its chain from the start: counted,
// listed, closed with it. Where the ClientHello decides how to begin, it is waited for first: what
// cannot be read of it is OpenSSL's to refuse.
import { TimerEntry } from "../core/timer-wheel.ts";
import { CloseReason } from "../engine/network-engine.ts";
import type { IoHandle } from "../engine/network-engine.ts";
import type { TlsEvents, TlsFailure, TlsServerStart, TlsSession } from "../engine/tls.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import { failureReasonOf } from "../tls/failure-reason.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";
import { tlsInfoOf } from "../tls/session-info.ts";
import { ClientHelloState, readClientHello } from "./client-hello.ts";
import type { ClientHello } from "./client-hello.ts";
import type { ConnectionGroup } from "./connection-group.ts";
import { Connection } from "./connection.ts";
import { countedIo } from "./counted-io.ts";
import type { ListenerContext } from "./listener.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";

/**
 * Where the configuration sets no time: as long as an idle connection lives by default, which is
 * what ends a silent client in Envoy.
 */
const TIMEOUT_DEFAULT_MS = 3_600_000;

/** As tls_inspector's by default; a longer ClientHello is not looked at. */
const HELLO_BYTES_MAX = 16_384;

/** The timer is transport_socket_connect_timeout. */
export class TlsHandshake extends TimerEntry implements TlsEvents {
  readonly #tls: TlsServerContext;
  #start: TlsServerStart;
  readonly #chain: NetworkFilterFactory;
  readonly #group: ConnectionGroup;
  readonly #context: ListenerContext;
  readonly #connection: Connection;
  /** OpenSSL has not begun: the ClientHello is not there. */
  #isWaiting: boolean;
  /** What has come of it; ours. */
  #gathered: Buffer;

  constructor(
    io: IoHandle,
    info: ConnectionInfo,
    group: ConnectionGroup,
    tls: TlsServerContext,
    start: TlsServerStart,
    chain: NetworkFilterFactory,
    context: ListenerContext,
  ) {
    super();
    const { clock, timers } = context;
    this.#tls = tls;
    this.#start = start;
    this.#chain = chain;
    this.#group = group;
    this.#context = context;
    this.#isWaiting = tls.awaitsHello(info);
    this.#gathered = noBytes;
    const own = this.#isWaiting ? io : context.engine.startTls(io, start, this);
    this.#connection = new Connection(info, own, group, timers, () => clock.nowMs);
    group.add(this.#connection);
    timers.schedule(this, clock.nowMs + (tls.handshakeTimeoutMs || TIMEOUT_DEFAULT_MS));
  }

  // ---- TlsEvents.

  onSecured(session: TlsSession): void {
    const connection = this.#connection;
    this.#context.timers.cancel(this);
    if (connection.isClosed) return;
    const { info, io } = connection;
    const verdict = this.#tls.judge(session);
    const atMs = this.#context.clock.epochMs();
    const presented = this.#tls.presented(this.#start);
    info.tls = tlsInfoOf(session, this.#tls.validator, verdict.isValidated, atMs, presented);
    if (verdict.failure !== null) this.#tls.stats.onVerifyFailure(verdict.failure);
    if (!verdict.isAccepted) {
      info.transportFailureReason = verdict.reason;
      connection.closeAfterFlush(0);
      return;
    }
    this.#tls.stats.onHandshake(session);
    info.securedMs = this.#context.clock.nowMs;
    io.setEvents(connection);
    connection.io = countedIo(io, info);
    connection.setFilter(this.#chain.createFilter(connection));
    connection.start();
    if (this.#group.isShutdown) connection.shutdown();
  }

  onHandshakeFailed(failure: TlsFailure): void {
    const connection = this.#connection;
    this.#context.timers.cancel(this);
    this.#tls.stats.onFailure(failure);
    const { info } = connection;
    info.transportFailureReason = failureReasonOf(failure);
    if (failure.kind === "tls") {
      this.#group.strangers.tell("a failed TLS handshake", info.listenerName, info);
    }
    connection.onClose();
  }

  onClose(_reason: CloseReason, code: string): void {
    if (this.#isWaiting) {
      this.onHandshakeFailed({ kind: "reset", code, reason: "" });
      return;
    }
    this.#context.timers.cancel(this);
    this.#connection.onClose();
  }

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    if (!this.#isWaiting || this.#connection.isClosed) return;
    const bytes = Buffer.concat([this.#gathered, buffer.subarray(0, length)]);
    const hello = readClientHello(bytes, HELLO_BYTES_MAX);
    if (hello.state === ClientHelloState.NeedMore && bytes.length < HELLO_BYTES_MAX) {
      this.#gathered = bytes;
      return;
    }
    this.#begin(hello, bytes);
  }

  onWritable(): void {}

  onEnd(): void {
    if (!this.#isWaiting || this.#connection.isClosed) return;
    this.#connection.io.close();
    this.onHandshakeFailed({ kind: "closed", code: "", reason: "" });
  }

  // ---- TimerEntry.

  override onDeadline(): void {
    if (this.#connection.isClosed) return;
    this.#group.stats.cxTransportSocketConnectTimeout.inc();
    this.#connection.info.terminationDetails = "transport socket timeout was reached";
    this.#connection.closeAfterFlush(0);
  }

  /** `bytes` is all that came: OpenSSL reads it anew. */
  #begin(hello: ClientHello, bytes: Buffer): void {
    const { info, io } = this.#connection;
    const isKnown = hello.state === ClientHelloState.Found;
    const start = (isKnown ? this.#tls.start(info, hello) : null) ?? this.#start;
    this.#start = start;
    this.#isWaiting = false;
    this.#gathered = noBytes;
    io.unread(bytes);
    this.#connection.io = this.#context.engine.startTls(io, start, this);
  }
}

const noBytes = Buffer.alloc(0);
