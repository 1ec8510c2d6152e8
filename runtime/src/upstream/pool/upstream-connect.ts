// Connects to a host for a pool's connection: within connect_timeout, to whichever of its addresses
// answers first. The only place of this room that connects.
//
//   address 1 --------------------------> ready: the others are given up
//        address 2, after 300 ms or as soon as address 1 has failed --> ...
//   all have failed, or the time is over --> failed, with the last reason
import { TimerEntry } from "../../core/timer-wheel.ts";
import type { TlsInfo } from "../../core/tls-info.ts";
import type { IoEvents, IoHandle, SocketAddress } from "../../engine/network-engine.ts";
import type { Cluster } from "../cluster.ts";
import { attemptDelayMs } from "../happy-eyeballs.ts";
import type { Host } from "../host.ts";
import { type AttemptOwner, ConnectAttempt, type ConnectWish } from "./connect-attempt.ts";
import { PoolFailureReason } from "./conn-pool.ts";

/** A pool's connection; exactly one of the two comes first, and never before start() returned. */
export interface ConnectEvents extends IoEvents {
  /** It can carry bytes; from now on the other events come. */
  onTransportReady(io: IoHandle, tls: TlsInfo | null): void;
  /** `transportFailure` is the transport's reason, "" when there is none. */
  onTransportFailed(reason: PoolFailureReason, transportFailure: string): void;
}

export class UpstreamConnect extends TimerEntry implements AttemptOwner {
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #wish: ConnectWish;
  readonly #events: ConnectEvents;
  /** Those of the host now: LOGICAL_DNS may change them meanwhile. */
  readonly #addresses: readonly SocketAddress[];
  readonly #attempts: ConnectAttempt[];
  #nextAddress: number = 0;
  #nextAttemptMs: number = Number.POSITIVE_INFINITY;
  readonly #deadlineAtMs: number = 0;

  constructor(cluster: Cluster, host: Host, wish: ConnectWish, events: ConnectEvents) {
    super();
    this.#cluster = cluster;
    this.#host = host;
    this.#wish = wish;
    this.#events = events;
    this.#addresses = host.addresses;
    this.#attempts = [];
    this.#deadlineAtMs = cluster.context.clock.nowMs + cluster.config.connectTimeoutMs;
    this.#tryNext();
  }

  /** Gives up; nothing follows. */
  abandon(): void {
    this.#cluster.context.timers.cancel(this);
    for (const attempt of this.#attempts.splice(0)) attempt.abandon();
  }

  // ---- TimerEntry: the next attempt is due, or the time is over.

  override onDeadline(): void {
    const { clock } = this.#cluster.context;
    if (clock.nowMs >= this.#deadlineAtMs) {
      this.abandon();
      this.#cluster.stats.cxConnectTimeout.inc();
      this.#events.onTransportFailed(PoolFailureReason.Timeout, "");
    } else if (clock.nowMs >= this.#nextAttemptMs) this.#tryNext();
    else this.#schedule();
  }

  // ---- AttemptOwner.

  onAttemptReady(attempt: ConnectAttempt, io: IoHandle, tls: TlsInfo | null): void {
    this.#remove(attempt);
    this.abandon();
    io.setEvents(this.#events);
    this.#events.onTransportReady(io, tls);
  }

  onAttemptFailed(attempt: ConnectAttempt, reason: PoolFailureReason, text: string): void {
    this.#remove(attempt);
    if (this.#nextAddress < this.#addresses.length) {
      this.#tryNext();
      return;
    }
    if (this.#attempts.length > 0) return;
    this.#cluster.context.timers.cancel(this);
    this.#events.onTransportFailed(reason, text);
  }

  // ---- Private parts.

  #tryNext(): void {
    const address = this.#addresses[this.#nextAddress] as SocketAddress;
    // As in Envoy every further attempt is a connection, too.
    if (this.#nextAddress > 0) {
      this.#cluster.stats.cxTotal.inc();
      this.#host.stats.cxTotal.inc();
    }
    this.#nextAddress += 1;
    const hasMore = this.#nextAddress < this.#addresses.length;
    const { nowMs } = this.#cluster.context.clock;
    this.#nextAttemptMs = hasMore ? nowMs + attemptDelayMs : Number.POSITIVE_INFINITY;
    this.#attempts.push(new ConnectAttempt(this, this.#cluster, this.#host, address, this.#wish));
    this.#schedule();
  }

  #remove(attempt: ConnectAttempt): void {
    const at = this.#attempts.indexOf(attempt);
    if (at >= 0) this.#attempts.splice(at, 1);
  }

  #schedule(): void {
    const deadline = Math.min(this.#deadlineAtMs, this.#nextAttemptMs);
    this.#cluster.context.timers.schedule(this, deadline);
  }
}
