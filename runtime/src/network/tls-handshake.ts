// The TLS handshake of an accepted connection, between the choice of its filter chain and the first
// byte that its network filter gets. The connection is on its chain from the start: counted,
// listed, closed with it.
import { TimerEntry } from "../core/timer-wheel.ts";
import type { CloseReason, IoHandle } from "../engine/network-engine.ts";
import type { TlsEvents, TlsFailure, TlsServerStart, TlsSession } from "../engine/tls.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import { failureReasonOf } from "../tls/failure-reason.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";
import { tlsInfoOf } from "../tls/session-info.ts";
import type { ConnectionGroup } from "./connection-group.ts";
import { Connection } from "./connection.ts";
import type { ListenerContext } from "./listener.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";

/**
 * Where the configuration sets no time: as long as an idle connection lives by default, which is
 * what ends a silent client in Envoy.
 */
const TIMEOUT_DEFAULT_MS = 3_600_000;

/** The timer is transport_socket_connect_timeout. */
export class TlsHandshake extends TimerEntry implements TlsEvents {
  readonly #tls: TlsServerContext;
  readonly #chain: NetworkFilterFactory;
  readonly #group: ConnectionGroup;
  readonly #context: ListenerContext;
  readonly #connection: Connection;

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
    const { clock, engine, timers } = context;
    this.#tls = tls;
    this.#chain = chain;
    this.#group = group;
    this.#context = context;
    const secured = engine.startTls(io, start, this);
    this.#connection = new Connection(info, secured, group, timers, () => clock.nowMs);
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
    if (verdict.failure !== null) this.#tls.stats.onVerifyFailure(verdict.failure);
    if (!verdict.isAccepted) {
      info.transportFailureReason = verdict.reason;
      connection.closeAfterFlush(0);
      return;
    }
    this.#tls.stats.onHandshake(session);
    const atMs = this.#context.clock.epochMs();
    info.securedMs = this.#context.clock.nowMs;
    info.tls = tlsInfoOf(session, this.#tls.validator, verdict.isValidated, atMs);
    io.setEvents(connection);
    connection.setFilter(this.#chain.createFilter(connection));
    connection.start();
    if (this.#group.isShutdown) connection.shutdown();
  }

  onHandshakeFailed(failure: TlsFailure): void {
    const connection = this.#connection;
    this.#context.timers.cancel(this);
    this.#tls.stats.onFailure(failure);
    connection.info.transportFailureReason = failureReasonOf(failure);
    connection.onClose();
  }

  onClose(_reason: CloseReason): void {
    this.#context.timers.cancel(this);
    this.#connection.onClose();
  }

  onConnect(): void {}

  onRead(): void {}

  onWritable(): void {}

  onEnd(): void {}

  // ---- TimerEntry.

  override onDeadline(): void {
    if (this.#connection.isClosed) return;
    this.#group.stats.cxTransportSocketConnectTimeout.inc();
    this.#connection.closeNow();
  }
}
