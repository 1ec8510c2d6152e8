// What VMs need of the thread they live on, of what their host was given; made once by WasmHost.
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { NodeConfig } from "../config/snapshot.ts";
import type { StatMaker } from "../stats/store.ts";
import type { CallObserver } from "./call-observer.ts";
import type { Callouts } from "./callout.ts";
import { GUEST_MARK_CELLS } from "./guest-mark.ts";
import { GuestTraces } from "./guest-traces.ts";
import { createSupplies, createTrap, type HostCallback } from "./helper-modules.ts";
import type { SharedGauges } from "./metrics.ts";
import type { NativeServices } from "./native-functions.ts";
import type { SharedSpace } from "./shared-space.ts";
import { SharedStore, sharedStoreMemory } from "./shared-store.ts";
import { TrapNews } from "./trap-news.ts";
import type { GuestTrap } from "./trap-report.ts";
import type { Vm } from "./vm.ts";
import type { WasiProvider } from "./wasi-provider.ts";
import type { WasmHostContext } from "./wasm-host.ts";

/** As --drain-time-s. */
const DRAIN_TIME_MS = 600_000;

/**
 * A class: an object literal with accessors in it is a hash table in V8, and each stream looks at
 * the clock twice (0.05 us of the first filter's 2).
 */
export class ThreadServices {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly stats: StatMaker;
  readonly gauges: SharedGauges;
  readonly node: NodeConfig;
  /** Null = every cluster is unknown. */
  readonly callouts: Callouts | null;
  /** Null = nobody serves it. */
  readonly native: NativeServices | null;
  /** A guest was stopped, and that is logged; null = nobody wants to know. */
  readonly onTrap: ((trap: GuestTrap) => void) | null;
  /** Of guests that were stopped. */
  readonly news: TrapNews;
  /** Who sees the calls of a VM; null = nobody. */
  readonly observe: ((vm: Vm) => CallObserver) | null;
  /** A start is about to do what others see: whether it may. */
  readonly onOutwardCall: (name: string) => boolean;
  /** Cells that say which guest runs, for the watchdog; see guest-mark.ts. */
  readonly mark: Int32Array;
  /** Whose calls are logged, besides what policies say. */
  readonly traces: GuestTraces;
  /** Traps: an import of the guest that calls it stops the guest for good. Never returns. */
  readonly trap: () => void;
  /** Makes a callback one that guests may hold. */
  readonly supplyOf: (callback: HostCallback) => HostCallback;
  /** Milliseconds that a plugin which was replaced may take to end. */
  readonly drainTimeMs: number;
  readonly #context: WasmHostContext;
  #shared: SharedSpace | null;

  constructor(context: WasmHostContext) {
    this.clock = context.clock;
    this.timers = context.timers;
    this.random = context.random;
    this.stats = context.stats;
    this.gauges = context.gauges ?? context.stats;
    this.node = context.node;
    this.callouts = context.callouts ?? null;
    this.native = context.native ?? null;
    this.onTrap = context.onTrap ?? null;
    this.news = new TrapNews(context.nextTurn ?? null);
    this.observe = context.observe ?? null;
    this.onOutwardCall = context.onOutwardCall ?? ((): boolean => true);
    this.mark = context.guestMark ?? new Int32Array(GUEST_MARK_CELLS);
    this.traces = new GuestTraces();
    if (context.traces !== undefined) this.traces.rules = context.traces;
    this.trap = createTrap();
    this.supplyOf = createSupplies();
    this.drainTimeMs = context.drainTimeMs ?? DRAIN_TIME_MS;
    this.#context = context;
    this.#shared = context.shared ?? null;
  }

  /** Memory for one thread is made when a guest asks for it. */
  get shared(): SharedSpace {
    this.#shared ??= new SharedStore({ memory: sharedStoreMemory(), thread: 0 });
    return this.#shared;
  }

  /**
   * Files for guests whose policy has them; a text = why there are none. Loaded when the first
   * plugin wants it.
   */
  get wasiProvider(): WasiProvider | string {
    return this.#context.wasiProvider ?? "nothing here provides them";
  }
}
