// What a VM needs of the thread it lives on; made once by WasmHost.
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { NodeConfig } from "../config/snapshot.ts";
import type { StatMaker } from "../stats/store.ts";
import type { CallObserver } from "./call-observer.ts";
import type { Callouts } from "./callout.ts";
import type { HostCallback } from "./helper-modules.ts";
import type { GuestTraces } from "./guest-traces.ts";
import type { SharedGauges } from "./metrics.ts";
import type { NativeServices } from "./native-functions.ts";
import type { SharedSpace } from "./shared-space.ts";
import type { TrapNews } from "./trap-news.ts";
import type { GuestTrap } from "./trap-report.ts";
import type { Vm } from "./vm.ts";
import type { WasiProvider } from "./wasi-provider.ts";

export interface VmServices {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly stats: StatMaker;
  readonly gauges: SharedGauges;
  readonly node: NodeConfig;
  /** Null = every cluster is unknown. */
  readonly callouts: Callouts | null;
  readonly shared: SharedSpace;
  /** Null = nobody serves it. */
  readonly native: NativeServices | null;
  /** A guest was stopped, and that is logged; null = nobody wants to know. */
  readonly onTrap: ((trap: GuestTrap) => void) | null;
  /** Of guests that were stopped. */
  readonly news: TrapNews;
  /** Who sees the calls of a VM; null = nobody. */
  readonly observe: ((vm: Vm) => CallObserver) | null;
  /** Files for guests whose policy has them; a text = why there are none. */
  readonly wasiProvider: WasiProvider | string;
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
}
