// One configured listener in one worker: accepts connections and gives each to the filter chain.
// Chains can be swapped: new connections get the new one, old ones end on theirs.
import type { Clock } from "../core/clock.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import type {
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
  NetworkEngine,
  SocketAddress,
} from "../engine/network-engine.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import type { StatsStore } from "../stats/store.ts";
import { connectionInfoOf, toListenAddress } from "./addresses.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOwner } from "./connection.ts";
import { ListenerStats } from "./listener-stats.ts";

export interface ListenerContext {
  readonly engine: NetworkEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly stats: StatsStore;
  readonly workerIndex: number;
  readonly nextConnectionId: () => number;
  readonly logger: Logger;
}

/** The end of listen(): "" when all addresses are bound, else what is wrong. */
export type ListenDone = (problem: string) => void;

/** Connections that wait for open(); more are closed and count in downstream_cx_overflow. */
const heldMax = 256;

export class Listener implements ConnectionOwner {
  readonly config: ListenerConfig;
  readonly #context: ListenerContext;
  readonly #stats: ListenerStats;
  readonly #handles: ListenHandle[];
  readonly #nowMs: () => number;
  /** Null = no chain takes the connection: it is closed. */
  #chain: NetworkFilterFactory | null = null;
  #chainName: string = "";
  #first: Connection | null = null;
  #connectionCount: number = 0;
  #onEmpty: (() => void) | null = null;
  /** Accepted before the version that has this listener was in force: nothing is read from them. */
  readonly #held: HeldConnection[];
  #isOpen: boolean = false;
  #acceptedCount: number = 0;
  /** The next version of the configuration has it too. */
  isHandedOn: boolean = false;

  constructor(config: ListenerConfig, context: ListenerContext) {
    this.config = config;
    this.#context = context;
    this.#stats = new ListenerStats(context.stats, config.statPrefix, context.workerIndex);
    this.#handles = [];
    this.#nowMs = (): number => context.clock.nowMs;
    this.#held = [];
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** Connections that the kernel has given us, ever. */
  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** Bound addresses, the main one first. */
  get addresses(): readonly SocketAddress[] {
    return this.#handles.map((handle) => handle.localAddress);
  }

  /** The chain that new connections get. */
  setChain(chain: NetworkFilterFactory | null, name: string): void {
    this.#chain = chain;
    this.#chainName = name;
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
      };
      const events = new Acceptor(this, target, settle, this.#context.logger);
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
    for (const held of this.#held.splice(0)) {
      if (held.isGone) continue;
      const connection = this.#accept(held.io, held.target);
      if (connection === null) {
        held.io.close();
        continue;
      }
      held.io.setEvents(connection);
      held.io.readDisable(false);
    }
  }

  stopListening(): void {
    for (const handle of this.#handles) handle.close();
    this.#handles.length = 0;
  }

  /** Closes idle connections, lets busy ones finish; `onEmpty` is called when none is left. */
  shutdownConnections(onEmpty: () => void): void {
    this.#onEmpty = onEmpty;
    for (let connection = this.#first; connection !== null; ) {
      const next: Connection | null = connection.nextConnection;
      connection.shutdown();
      connection = next;
    }
    this.#tellEmpty();
  }

  /** Closes every connection at once. */
  closeConnections(): void {
    for (const held of this.#held.splice(0)) if (!held.isGone) held.io.reset();
    for (let connection = this.#first; connection !== null; ) {
      const next: Connection | null = connection.nextConnection;
      connection.closeNow();
      connection = next;
    }
  }

  /** For the acceptors; `target` is what they are bound to. */
  onAccept(io: IoHandle, target: SocketAddress): IoEvents | null {
    this.#acceptedCount += 1;
    return this.#isOpen ? this.#accept(io, target) : this.#hold(io, target);
  }

  #accept(io: IoHandle, target: SocketAddress): Connection | null {
    const { clock, timers } = this.#context;
    const chain = this.#chain;
    this.#stats.cxTotal.inc();
    this.#stats.workerCxTotal.inc();
    if (chain === null) {
      this.#stats.noFilterChainMatch.inc();
      this.#stats.cxDestroy.inc();
      return null;
    }
    if (this.config.keepAliveIdleSeconds > 0) io.setKeepAlive(this.config.keepAliveIdleSeconds);
    const info = connectionInfoOf(io, target, this.#context.nextConnectionId(), clock.nowMs);
    info.listenerName = this.config.name;
    info.filterChainName = this.#chainName;
    const connection = new Connection(info, io, this, timers, this.#nowMs);
    this.#link(connection);
    this.#stats.cxActive.inc();
    this.#stats.workerCxActive.inc();
    connection.setFilter(chain.createFilter(connection));
    return connection;
  }

  // ---- ConnectionOwner.

  onConnectionClosed(connection: Connection): void {
    this.#unlink(connection);
    this.#stats.cxActive.dec();
    this.#stats.workerCxActive.dec();
    this.#stats.cxDestroy.inc();
    this.#stats.cxLengthMs.record(this.#context.clock.nowMs - connection.info.startMs);
    this.#tellEmpty();
  }

  #hold(io: IoHandle, target: SocketAddress): IoEvents | null {
    if (this.#held.length >= heldMax) {
      this.#stats.cxOverflow.inc();
      return null;
    }
    io.readDisable(true);
    const held = new HeldConnection(io, target);
    this.#held.push(held);
    return held;
  }

  #tellEmpty(): void {
    const onEmpty = this.#onEmpty;
    if (onEmpty === null || this.#connectionCount > 0) return;
    this.#onEmpty = null;
    onEmpty();
  }

  #link(connection: Connection): void {
    connection.nextConnection = this.#first;
    if (this.#first !== null) this.#first.previousConnection = connection;
    this.#first = connection;
    this.#connectionCount += 1;
  }

  #unlink(connection: Connection): void {
    const { previousConnection: previous, nextConnection: next } = connection;
    if (previous === null) this.#first = next;
    else previous.nextConnection = next;
    if (next !== null) next.previousConnection = previous;
    connection.previousConnection = null;
    connection.nextConnection = null;
    this.#connectionCount -= 1;
  }
}

/** Takes the events of a connection until its listener opens. */
class HeldConnection implements IoEvents {
  readonly io: IoHandle;
  readonly target: SocketAddress;
  isGone: boolean = false;

  constructor(io: IoHandle, target: SocketAddress) {
    this.io = io;
    this.target = target;
  }

  onConnect(): void {}

  onRead(): void {}

  onWritable(): void {}

  onEnd(): void {}

  onClose(): void {
    this.isGone = true;
  }
}

/** One bound address of a listener. */
class Acceptor implements ListenEvents {
  readonly #listener: Listener;
  readonly #target: SocketAddress;
  readonly #settle: (problem: string) => void;
  readonly #logger: Logger;
  #isListening: boolean = false;

  constructor(
    listener: Listener,
    target: SocketAddress,
    settle: (problem: string) => void,
    logger: Logger,
  ) {
    this.#listener = listener;
    this.#target = target;
    this.#settle = settle;
    this.#logger = logger;
  }

  onListening(): void {
    this.#isListening = true;
    this.#settle("");
  }

  onAccept(io: IoHandle): IoEvents | null {
    return this.#listener.onAccept(io, this.#target);
  }

  onError(code: string): void {
    const { address, port } = this.#target;
    const where = this.#target.family === "unix" ? address : `${address}:${port}`;
    if (this.#isListening) {
      this.#logger.log(LogLevel.Warning, `${this.#listener.config.name}: accept failed: ${code}`);
    } else this.#settle(`cannot bind ${where}: ${code}${advice(code)}`);
  }
}

function advice(code: string): string {
  if (code === "EADDRINUSE") return " (address already in use)";
  if (code === "EACCES") return " (permission denied: ports below 1024 need privileges)";
  return code === "EADDRNOTAVAIL" ? " (this machine does not have that address)" : "";
}
