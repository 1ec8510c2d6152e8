// The connections that one listener gave to one filter chain: counted, listed, closed together. A
// chain that is replaced keeps its group until the last connection has ended.
import type { Clock } from "../core/clock.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import type { ConnectionAdmission } from "./connection-admission.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import type { NetworkChain } from "./listener.ts";
import type { ListenerLog } from "./listener-log.ts";
import type { StrangerLog } from "./stranger-log.ts";
import type { ListenerStats } from "./listener-stats.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";

/** What its listener shares with all its groups. */
export interface GroupContext {
  readonly stats: ListenerStats;
  /** Where each of its connections has a place. */
  readonly admission: ConnectionAdmission;
  /** Null = the listener writes no access log. */
  readonly log: ListenerLog | null;
  readonly strangers: StrangerLog;
  readonly clock: Clock;
}

export class ConnectionGroup implements ConnectionOwner {
  /** Null = no chain takes the connection: it is closed. */
  readonly chain: NetworkFilterFactory | null;
  readonly chainName: string;
  /** Null = plain text. */
  readonly tls: TlsServerContext | null;
  /** Who finishes a handshake now comes late. */
  isShutdown: boolean = false;
  readonly stats: ListenerStats;
  readonly admission: ConnectionAdmission;
  readonly strangers: StrangerLog;
  readonly #log: ListenerLog | null;
  readonly #clock: Clock;
  #first: Connection | null = null;
  #count: number = 0;
  #onEmpty: (() => void) | null = null;

  constructor(
    { factory, name, tls }: Pick<NetworkChain, "factory" | "name" | "tls">,
    { stats, admission, strangers, log, clock }: GroupContext,
  ) {
    this.chain = factory;
    this.chainName = name;
    this.tls = tls ?? null;
    this.stats = stats;
    this.admission = admission;
    this.strangers = strangers;
    this.#log = log;
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  add(connection: Connection): void {
    connection.nextConnection = this.#first;
    if (this.#first !== null) this.#first.previousConnection = connection;
    this.#first = connection;
    this.#count += 1;
    this.stats.cxActive.inc();
    this.stats.workerCxActive.inc();
  }

  /** Calls back once, when no connection is left: at once if there is none. */
  whenEmpty(callback: () => void): void {
    const before = this.#onEmpty;
    this.#onEmpty = (): void => {
      before?.();
      callback();
    };
    this.#tellEmpty();
  }

  /** Idle connections close, busy ones finish. */
  shutdown(): void {
    this.isShutdown = true;
    for (let connection = this.#first; connection !== null; ) {
      const next: Connection | null = connection.nextConnection;
      connection.shutdown();
      connection = next;
    }
  }

  /** Timeouts have become shorter or longer. */
  changeTimeouts(): void {
    for (let connection = this.#first; connection !== null; ) {
      const next: Connection | null = connection.nextConnection;
      connection.onTimeoutsChanged();
      connection = next;
    }
  }

  /** Closes every connection at once. */
  closeNow(): void {
    for (let connection = this.#first; connection !== null; ) {
      const next: Connection | null = connection.nextConnection;
      connection.closeNow();
      connection = next;
    }
  }

  onConnectionClosed(connection: Connection): void {
    this.#log?.write(connection.info);
    const { previousConnection: previous, nextConnection: next } = connection;
    if (previous === null) this.#first = next;
    else previous.nextConnection = next;
    if (next !== null) next.previousConnection = previous;
    connection.previousConnection = null;
    connection.nextConnection = null;
    this.#count -= 1;
    this.admission.release();
    this.stats.cxActive.dec();
    this.stats.workerCxActive.dec();
    this.stats.cxDestroy.inc();
    this.stats.cxLengthMs.record(this.#clock.nowMs - connection.info.startMs);
    this.#tellEmpty();
  }

  #tellEmpty(): void {
    const onEmpty = this.#onEmpty;
    if (onEmpty === null || this.#count > 0) return;
    this.#onEmpty = null;
    onEmpty();
  }
}
