// One configured listener in one worker: accepts connections and gives each to the filter chain
// that matches it. Chains can be swapped: new connections get the new ones, old ones end on theirs.
import type { Clock } from "../core/clock.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { Logger } from "../core/logger.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type {
  FilterChainMatchConfig,
  ListenerConfig,
  TcpKeepAliveConfig,
} from "../config/snapshot.ts";
import type {
  IoEvents,
  IoHandle,
  ListenHandle,
  NetworkEngine,
  SocketAddress,
} from "../engine/network-engine.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import type { StatsStore } from "../stats/store.ts";
import { Acceptor, HeldConnection } from "./acceptor.ts";
import { AcceptedSocket } from "./accepted-socket.ts";
import type { AcceptedSocketOwner } from "./accepted-socket.ts";
import { connectionInfoOf, ListenPlace, toListenAddress } from "./addresses.ts";
import { ConnectionAdmission } from "./connection-admission.ts";
import type { AdmissionContext } from "./connection-admission.ts";
import { ConnectionGroup } from "./connection-group.ts";
import { Connection } from "./connection.ts";
import { ChainMatchTree } from "./chain-match-tree.ts";
import { FilterChainMatcher } from "./filter-chain-matcher.ts";
import type { ChainFinder } from "./filter-chain-matcher.ts";
import type { ListenerFilter } from "./listener-filter.ts";
import { createListenerFilters } from "./listener-filters.ts";
import { countedIo } from "./counted-io.ts";
import type { ListenerLog } from "./listener-log.ts";
import { StrangerLog, strangerOf } from "./stranger-log.ts";
import { ListenerStats } from "./listener-stats.ts";
import { TlsHandshake } from "./tls-handshake.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";

export interface ListenerContext extends AdmissionContext {
  readonly engine: NetworkEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly stats: StatsStore;
  readonly workerIndex: number;
  readonly nextConnectionId: () => number;
  readonly logger: Logger;
  /**
   * Connections that wait for open(), or for the end of an overload; more are closed and count in
   * downstream_cx_overflow. Default 2048: what comes while a process that takes over is not ready.
   */
  readonly heldMax?: number;
}

/** A filter chain as its listener sees it. */
export interface NetworkChain {
  readonly name: string;
  /** Null = takes what no other one takes; of the default chain it does not count. */
  readonly match: FilterChainMatchConfig | null;
  readonly isDefault: boolean;
  /** Null = the chain has no filters: its connections are closed. */
  readonly factory: NetworkFilterFactory | null;
  /** What its connections speak before anything else; not there = plain text. */
  readonly tls?: TlsServerContext | null;
}

/** The end of listen(): "" when all addresses are bound, else what is wrong. */
export type ListenDone = (problem: string) => void;

const HELD_MAX = 2048;

/** As the numbers of envoy.config.core.v3.TrafficDirection. */
const directions = { unspecified: 0, inbound: 1, outbound: 2 } as const;

export class Listener implements AcceptedSocketOwner {
  /** What new connections get. */
  config: ListenerConfig;
  readonly #context: ListenerContext;
  readonly #handles: ListenHandle[];
  readonly #nowMs: () => number;
  #stats: ListenerStats;
  #admission: ConnectionAdmission;
  /** Of the chains that new connections get, in the order of the matcher's indexes. */
  #groups: ReadonlyMap<NetworkChain, ConnectionGroup>;
  #groupByIndex: readonly ConnectionGroup[];
  #matcher: ChainFinder;
  /** Of chains before, until their last connection has ended. */
  readonly #leaving: Set<ConnectionGroup>;
  /**
   * Accepted before the version that has this listener was in force, or while an overload stops
   * new connections: nothing is read from them.
   */
  readonly #held: HeldConnection[];
  #filters: readonly ListenerFilter[];
  /** Their listener filters are not done yet. */
  readonly #waiting: Set<AcceptedSocket>;
  readonly #strangers: StrangerLog;
  /** The configured access log; null = there is none. */
  #log: ListenerLog | null = null;
  #isOpen: boolean = false;
  #acceptedCount: number = 0;

  constructor(config: ListenerConfig, context: ListenerContext) {
    this.config = config;
    this.#context = context;
    this.#handles = [];
    this.#nowMs = (): number => context.clock.nowMs;
    this.#stats = new ListenerStats(context.stats, config.statPrefix, context.workerIndex);
    this.#admission = this.#admissionOf(config);
    this.#groups = new Map();
    this.#groupByIndex = [];
    this.#matcher = new FilterChainMatcher([], -1);
    this.#leaving = new Set();
    this.#held = [];
    this.#filters = createListenerFilters(config.listenerFilters, context.stats);
    this.#waiting = new Set();
    this.#strangers = new StrangerLog(context.logger);
  }

  /** With those on chains before. */
  get connectionCount(): number {
    return this.#allGroups().reduce((count, group) => count + group.count, 0);
  }

  /** Connections that the kernel has given us, ever. */
  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** Bound addresses, the main one first. */
  get addresses(): readonly SocketAddress[] {
    return this.#handles.map((handle) => handle.localAddress);
  }

  /**
   * The chains that new connections get. Those that were there before keep their connections.
   * Answers with the connections of each chain that is not there any more: they stay on it.
   */
  setChains(chains: readonly NetworkChain[]): ReadonlyMap<NetworkChain, ConnectionGroup> {
    const left = new Map(this.#groups);
    const groups = new Map<NetworkChain, ConnectionGroup>();
    for (const chain of chains) {
      const group = left.get(chain) ?? this.#newGroup(chain);
      groups.set(chain, group);
      left.delete(chain);
    }
    for (const group of left.values()) {
      if (group.count === 0) continue;
      this.#leaving.add(group);
      group.whenEmpty(() => this.#leaving.delete(group));
    }
    this.#useGroups(groups);
    if (chains.length === 0) this.#resetWaiting();
    return left;
  }

  #newGroup(chain: NetworkChain): ConnectionGroup {
    return new ConnectionGroup(chain, {
      stats: this.#stats,
      admission: this.#admission,
      log: this.#log,
      strangers: this.#strangers,
      clock: this.#context.clock,
    });
  }

  /** The default chain gets the last index. */
  #useGroups(groups: ReadonlyMap<NetworkChain, ConnectionGroup>): void {
    const chains = [...groups.keys()];
    const usual = chains.filter((chain) => !chain.isDefault);
    const fallback = chains.filter((chain) => chain.isDefault);
    this.#groups = groups;
    this.#groupByIndex = [...usual, ...fallback].map(
      (chain) => groups.get(chain) as ConnectionGroup,
    );
    this.#matcher = createFinder(this.config, usual, fallback.length > 0 ? usual.length : -1);
  }

  #allGroups(): ConnectionGroup[] {
    return [...this.#groupByIndex, ...this.#leaving];
  }

  /** Takes a new configuration for the same addresses; setChains follows. */
  update(config: ListenerConfig, log: ListenerLog | null = null): void {
    const { stats, workerIndex } = this.#context;
    if (config.statPrefix !== this.config.statPrefix) {
      this.#stats = new ListenerStats(stats, config.statPrefix, workerIndex);
    }
    this.config = config;
    this.#log = log;
    this.#admission = this.#admissionOf(config);
    this.#filters = createListenerFilters(config.listenerFilters, stats);
  }

  /**
   * Binds all addresses. `ports` has a port for each address: the configured one, or what another
   * worker was given for port 0. On a problem nothing stays bound.
   */
  listen(ports: readonly number[], done: ListenDone): void {
    const addresses = [this.config.address, ...this.config.additionalAddresses];
    let waiting = addresses.length;
    let problem = "";
    const settle = (text: string): void => {
      if (problem === "" && text !== "") problem = text;
      waiting -= 1;
      if (waiting > 0) return;
      if (problem !== "") this.stopListening();
      done(problem);
    };
    for (const [index, address] of addresses.entries()) {
      const target = toListenAddress(address, ports[index] ?? address.port);
      const options = {
        reusePort: this.config.reusePort,
        backlog: this.config.backlog,
        ipv4Compat: address.ipv4Compat,
        mode: address.pipeMode,
        publishLater: !this.#isOpen,
      };
      const place = new ListenPlace(target, index);
      const events = new Acceptor(this, place, settle, this.#context.logger);
      this.#handles.push(this.#context.engine.listen(target, options, events));
    }
  }

  /**
   * The version is in force: connections that came in the meantime are served, and all later ones
   * at once. Until then they wait, so that none meets a half-made configuration.
   */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    for (const handle of this.#handles) handle.publish?.();
    this.#serveHeld();
  }

  /** The overload manager's levels have changed. */
  onOverloadChanged(): void {
    if (!this.#isHolding()) this.#serveHeld();
    for (const group of this.#allGroups()) group.changeTimeouts();
  }

  /** Connections that are held go, too: nobody would serve them later. */
  stopListening(): void {
    // An engine may still bring connections.
    for (const handle of this.#handles) handle.close();
    this.#handles.length = 0;
    for (const held of this.#held.splice(0)) if (!held.isGone) held.io.reset();
  }

  /** Closes idle connections, lets busy ones finish; `onEmpty` is called when none is left. */
  shutdownConnections(onEmpty: () => void): void {
    this.#resetWaiting();
    const groups = this.#allGroups();
    let waiting = groups.length + 1;
    const settle = (): void => {
      waiting -= 1;
      if (waiting === 0) onEmpty();
    };
    for (const group of groups) {
      group.shutdown();
      group.whenEmpty(settle);
    }
    settle();
  }

  /** Closes every connection at once. */
  closeConnections(): void {
    this.#resetWaiting();
    for (const group of this.#allGroups()) group.closeNow();
  }

  /** For the acceptors; `place` is what they are bound to. */
  onAccept(io: IoHandle, place: ListenPlace): IoEvents | null {
    this.#acceptedCount += 1;
    return this.#isHolding() ? this.#hold(io, place) : this.#accept(io, place);
  }

  #accept(io: IoHandle, place: ListenPlace): IoEvents | null {
    const { clock } = this.#context;
    const admission = this.#admission;
    if (!admission.admit()) return null;
    const info = connectionInfoOf(io, place, this.#context.nextConnectionId(), clock.nowMs);
    this.#log?.begin(info);
    const keepAlive = this.#keepAliveOf(place);
    if (keepAlive !== null) io.setKeepAlive(keepAlive);
    io.setReadBytesMax(this.config.perConnectionBufferBytesMax);
    if (this.#filters.length === 0) return this.#serve(io, info, admission);
    const socket = new AcceptedSocket(io, info, admission, this.#filters, this);
    if (socket.isInspected) return this.#serve(io, info, admission);
    this.#waiting.add(socket);
    this.#stats.preCxActive.inc();
    const timeoutMs = this.config.listenerFiltersTimeoutMs;
    if (timeoutMs > 0) this.#context.timers.schedule(socket, clock.nowMs + timeoutMs);
    return socket;
  }

  // ---- AcceptedSocketOwner.

  onFiltersDone(socket: AcceptedSocket): void {
    this.#forget(socket);
    const { io, info, admission } = socket;
    const { hasBytes } = socket;
    // A handshake takes over what has been put back, so it is put back first.
    io.unread(socket.takeRest());
    const connection = this.#serve(io, info, admission);
    if (connection === null) endEarly(io, hasBytes);
    else io.setEvents(connection);
  }

  onFilterRefusal(socket: AcceptedSocket, verdict: number): void {
    this.#strangers.tell(strangerOf(verdict), this.config.name, socket.info);
    this.#endEarly(socket);
  }

  onPeerClosed(socket: AcceptedSocket): void {
    this.#stats.listenerFilterRemoteClose.inc();
    this.#endEarly(socket);
  }

  onFiltersTimeout(socket: AcceptedSocket): void {
    this.#stats.preCxTimeout.inc();
    if (this.config.continuesOnListenerFiltersTimeout) {
      this.onFiltersDone(socket);
      return;
    }
    this.#strangers.tell("too few first bytes in time", this.config.name, socket.info);
    this.#endEarly(socket);
  }

  #endEarly(socket: AcceptedSocket): void {
    this.#forget(socket);
    socket.admission.release();
    this.#log?.write(socket.info);
    endEarly(socket.io, socket.hasBytes);
  }

  #forget(socket: AcceptedSocket): void {
    socket.finish();
    this.#context.timers.cancel(socket);
    this.#waiting.delete(socket);
    this.#stats.preCxActive.dec();
  }

  #resetWaiting(): void {
    for (const socket of this.#waiting) {
      this.#forget(socket);
      socket.admission.release();
      this.#log?.write(socket.info);
      socket.io.reset();
    }
  }

  /** Null = no chain takes it, the caller closes; its place is given back. */
  #serve(io: IoHandle, info: ConnectionInfo, admission: ConnectionAdmission): IoEvents | null {
    const { timers } = this.#context;
    const index = this.#matcher.find(info);
    if (index < 0) {
      this.#stats.noFilterChainMatch.inc();
      this.#strangers.tell("no filter chain matches", this.config.name, info);
      this.#log?.writeUnmatched(info);
      admission.release();
      return null;
    }
    const group = this.#groupByIndex[index] as ConnectionGroup;
    this.#stats.cxTotal.inc();
    this.#stats.workerCxTotal.inc();
    info.listenerName = this.config.name;
    info.listenerDirection = directions[this.config.trafficDirection];
    info.listenerMetadata = this.config.metadata ?? null;
    info.filterChainName = group.chainName;
    if (group.chain === null) {
      this.#stats.extensionConfigMissing.inc();
      this.#refuse(info, group);
      return null;
    }
    if (group.tls !== null) return this.#serveTls(io, info, group, group.tls, group.chain);
    const connection = new Connection(info, countedIo(io, info), group, timers, this.#nowMs);
    group.add(connection);
    connection.setFilter(group.chain.createFilter(connection));
    connection.start();
    return connection;
  }

  #keepAliveOf({ index }: ListenPlace): TcpKeepAliveConfig | null {
    const { keepAlive, additionalKeepAlives } = this.config;
    return index === 0 ? keepAlive : (additionalKeepAlives[index - 1] ?? null);
  }

  #serveTls(
    io: IoHandle,
    info: ConnectionInfo,
    group: ConnectionGroup,
    tls: TlsServerContext,
    chain: NetworkFilterFactory,
  ): IoEvents | null {
    const start = tls.start(info);
    if (start !== null) {
      return new TlsHandshake(io, info, group, tls, start, chain, this.#context);
    }
    info.transportFailureReason = "TLS error: Secret is not supplied by SDS";
    this.#refuse(info, group);
    return null;
  }

  /** Its chain cannot serve it; the caller closes. */
  #refuse(info: ConnectionInfo, { admission }: ConnectionGroup): void {
    this.#stats.cxDestroy.inc();
    this.#log?.write(info);
    admission.release();
  }

  #admissionOf(config: ListenerConfig): ConnectionAdmission {
    return new ConnectionAdmission(config, this.#stats, this.#context);
  }

  #isHolding(): boolean {
    return !this.#isOpen || this.#admission.isPaused;
  }

  #serveHeld(): void {
    for (const held of this.#held.splice(0)) {
      if (held.isGone) continue;
      const connection = this.#accept(held.io, held.place);
      if (connection === null) {
        held.io.close();
        continue;
      }
      held.io.setEvents(connection);
      held.io.readDisable(false);
    }
  }

  #hold(io: IoHandle, place: ListenPlace): IoEvents | null {
    if (this.#held.length >= (this.#context.heldMax ?? HELD_MAX)) {
      this.#stats.cxOverflow.inc();
      return null;
    }
    io.readDisable(true);
    const held = new HeldConnection(io, place);
    this.#held.push(held);
    return held;
  }
}

/** `fallback` is the index of the default chain, -1 = there is none. */
function createFinder(
  { filterChainMatcher }: ListenerConfig,
  chains: readonly NetworkChain[],
  fallback: number,
): ChainFinder {
  if (filterChainMatcher === null) {
    const matches = chains.map(({ match }) => match);
    return new FilterChainMatcher(matches, fallback);
  }
  const names = chains.map(({ name }) => name);
  return new ChainMatchTree(filterChainMatcher, names, fallback);
}

/** As the kernel does with bytes that nobody has read. */
function endEarly(io: IoHandle, hasBytes: boolean): void {
  if (hasBytes) io.reset();
  else io.close();
}
