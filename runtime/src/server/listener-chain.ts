// One of a listener's filter chains in one worker, from prepare until the last connection on it
// has ended; then what it held is let go. Made by worker-version.ts.
import type { Clock } from "../core/clock.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { FilterChainConfig, FilterChainMatchConfig } from "../config/snapshot.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import type { ConnectionGroup } from "../network/connection-group.ts";
import type { NetworkChain } from "../network/listener.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";
import type { DrainManager, ListenerDrain } from "./drain-manager.ts";

export interface ChainContext {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly drain: DrainManager;
  /** Chains that were replaced and still have connections. */
  readonly leaving: Set<ListenerChain>;
}

/** What lives as long as a chain holds it. */
export interface HeldByChains {
  hold(): void;
  release(): void;
}

/** The timer is the end of the drain time. */
export class ListenerChain extends TimerEntry implements NetworkChain {
  /** Of the configuration: the next version keeps a chain that has the same. */
  readonly fingerprint: string;
  readonly name: string;
  readonly match: FilterChainMatchConfig | null;
  readonly isDefault: boolean;
  /** Of its connections. */
  readonly drain: ListenerDrain;
  /** Null = it has no filters: no connection is taken. */
  factory: NetworkFilterFactory | null = null;
  /** Null = plain text. */
  tls: TlsServerContext | null = null;
  readonly #held: readonly HeldByChains[];
  readonly #context: ChainContext;
  /** What is left; null while it is in force. */
  #group: ConnectionGroup | null = null;

  constructor(
    fingerprint: string,
    config: FilterChainConfig,
    isDefault: boolean,
    held: readonly HeldByChains[],
    context: ChainContext,
    drain: ListenerDrain,
  ) {
    super();
    this.fingerprint = fingerprint;
    this.name = config.name;
    this.match = config.match;
    this.isDefault = isDefault;
    this.drain = drain;
    this.#held = held;
    this.#context = context;
    for (const one of held) one.hold();
  }

  /**
   * Another chain has its place, or none: `group` are its connections. Their answers ask them to
   * leave; whoever has not left when the drain time is over is cut off, as in Envoy.
   */
  leave(group: ConnectionGroup): void {
    const { clock, timers, drain, leaving } = this.#context;
    this.#group = group;
    this.drain.own.start();
    leaving.add(this);
    timers.schedule(this, clock.nowMs + drain.options.drainTimeMs);
    group.whenEmpty(() => {
      timers.cancel(this);
      leaving.delete(this);
      this.release();
    });
  }

  /** Idle connections close, busy ones finish. */
  shutdown(onEmpty: () => void): void {
    this.#group?.shutdown();
    if (this.#group === null) onEmpty();
    else this.#group.whenEmpty(onEmpty);
  }

  closeNow(): void {
    this.#group?.closeNow();
  }

  /** No connection uses it. */
  release(): void {
    for (const one of this.#held) one.release();
  }

  override onDeadline(): void {
    this.#group?.shutdown();
    this.#group?.closeNow();
  }
}
