// The room's door: one host per thread, which turns plugin configurations into plugins.
import type { Clock } from "../core/clock.ts";
import type { LoggerFactory } from "../core/logger.ts";
import type { Random } from "../core/random.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import { codeName } from "../config/code-name.ts";
import type { NodeConfig, WasmPluginConfig } from "../config/snapshot.ts";
import type { TraceRule } from "../config/trace-rule.ts";
import type { StatMaker } from "../stats/store.ts";
import type { CallObserver } from "./call-observer.ts";
import type { Callouts } from "./callout.ts";
import type { CompiledModule } from "./compiled-module.ts";
import { ReloadBackoff } from "./failure-policy.ts";
import { GuestLog } from "./guest-log.ts";
import { keepFrames } from "./guest-frames.ts";
import type { SharedGauges } from "./metrics.ts";
import type { NativeServices } from "./native-functions.ts";
import { Plugin, PluginError } from "./plugin.ts";
import { liveStartLimit, startLimit } from "./start-limit.ts";
import type { SharedSpace } from "./shared-space.ts";
import { StandbyQueue } from "./standby-queue.ts";
import { ThreadServices } from "./thread-services.ts";
import type { GuestTrap } from "./trap-report.ts";
import type { WasiProvider } from "./wasi-provider.ts";
import type { Vm } from "./vm.ts";
import { VmSlot, type VmSlotTimes, type VmStats } from "./vm-slot.ts";

export interface WasmHostContext {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly stats: StatMaker;
  readonly logger: LoggerFactory;
  readonly node: NodeConfig;
  /** Index of this thread, for its logs. */
  readonly workerIndex: number;
  /** Default: none, so that every cluster is unknown to proxy_http_call. */
  readonly callouts?: Callouts;
  /** Gauges of the process. Default: `stats`, right for a process of one thread. */
  readonly gauges?: SharedGauges;
  /** Data and queues of the process. Default: one of this host's own. */
  readonly shared?: SharedSpace;
  /** For filters that stand for Envoy's own. Default: they have none of it. */
  readonly native?: NativeServices;
  /** Told of guests that were stopped. Default: nobody. */
  readonly onTrap?: (trap: GuestTrap) => void;
  /** Calls back when this turn is over. Default: what is told of traps is told at once. */
  readonly nextTurn?: (callback: () => void) => void;
  /** For tests: sees the calls of each VM. Default: nobody does. */
  readonly observe?: (vm: Vm) => CallObserver;
  /** Files for guests whose policy has them, or why there are none. Default: not loaded. */
  readonly wasiProvider?: WasiProvider | string | undefined;
  /** Milliseconds that a replaced plugin's last streams and its guest get. Default 600000. */
  readonly drainTimeMs?: number;
  /** Whether a start may do what others see. Default: it may. */
  readonly onOutwardCall?: (name: string) => boolean;
  /** See setTraces. Default: none. */
  readonly traces?: ReadonlyMap<string, TraceRule | null>;
  /** Shared cells of this thread, for the watchdog. Default: cells that nobody reads. */
  readonly guestMark?: Int32Array;
}

const RUNTIME_DEFAULT = "envoy.wasm.runtime.v8";

export class WasmHost {
  readonly #services: ThreadServices;
  readonly #log: GuestLog;
  readonly #slots: Map<string, VmSlot>;
  /** Until their guests have been told all: some take their time to answer on_done. */
  readonly #plugins: Set<Plugin>;
  readonly #thread: number;
  #lastSlot: number = 0;
  readonly #standbyQueue: StandbyQueue;
  readonly #forget: (slot: VmSlot) => void;
  readonly #forgetPlugin: (plugin: Plugin) => void;

  constructor(context: WasmHostContext) {
    this.#services = new ThreadServices(context);
    this.#thread = context.workerIndex;
    keepFrames();
    this.#log = new GuestLog(context.logger.logger("wasm"));
    this.#slots = new Map();
    this.#plugins = new Set();
    this.#standbyQueue = new StandbyQueue(context.clock, context.timers);
    this.#forget = (slot): void => {
      this.#slots.delete(slot.key);
    };
    this.#forgetPlugin = (plugin): void => {
      this.#plugins.delete(plugin);
    };
  }

  /**
   * Starts and configures a plugin, on a VM of its own or on one that it shares (same non-empty
   * vm_id, configuration and code), or on that of `base`. Runs the guest; nothing is left behind
   * when it refuses. One that is not in force yet has no ticks before its `begin`; among streams
   * (`isLive`) it has less time.
   */
  preparePlugin(
    config: WasmPluginConfig,
    module: CompiledModule,
    base: Plugin | null = null,
    isInForce = true,
    isLive = false,
  ): Plugin | PluginError {
    const key = base === null ? this.#keyOf(config, module) : base.slot.key;
    const known = base === null ? this.#slots.get(key) : base.slot;
    const slot = known ?? this.#makeSlot(key, config, module);
    const plugin = new Plugin(config, slot, this.#thread, this.#forgetPlugin);
    if (isInForce) plugin.begin();
    this.#log.startCapture();
    const { policy, version } = config;
    const limit = isLive ? liveStartLimit(policy, version?.probed) : startLimit(policy);
    const reason = slot.add(plugin, limit);
    const lines = this.#log.stopCapture();
    if (reason !== null) {
      if (known === undefined) slot.remove(plugin);
      return new PluginError(config.name, [reason, ...lines]);
    }
    this.#slots.set(key, slot);
    this.#plugins.add(plugin);
    return plugin;
  }

  /** Whose calls are logged now, by the plugins' names; null = not, whatever policies say. */
  setTraces(rules: ReadonlyMap<string, TraceRule | null>): void {
    this.#services.traces.rules = rules;
    for (const slot of this.#slots.values()) slot.onTracesChanged();
  }

  /** Plugins whose guests have not been told all yet. */
  get pluginCount(): number {
    return this.#plugins.size;
  }

  /** Timers of VMs that are dead and wait for their back-off, and the one that makes standbys. */
  get timerCount(): number {
    let count = this.#standbyQueue.isScheduled ? 1 : 0;
    for (const slot of this.#slots.values()) if (slot.awaitsReload) count += 1;
    for (const plugin of this.#plugins) if (plugin.awaitsDrain) count += 1;
    return count;
  }

  /** Ends all plugins at once: each guest is told on_done and on_delete. */
  close(): void {
    for (const plugin of this.#plugins) plugin.close();
    this.#plugins.clear();
    this.#slots.clear();
  }

  /** Everything that makes a VM; a slot of its own for plugins without vm_id. */
  #keyOf(config: WasmPluginConfig, module: CompiledModule): string {
    if (config.vmId === "") {
      this.#lastSlot += 1;
      return `own ${this.#lastSlot}`;
    }
    return JSON.stringify([
      config.vmId,
      config.version?.space ?? "",
      Buffer.from(config.vmConfiguration).toString("base64"),
      module.key,
      config.environment,
      config.allowedCapabilities,
      config.native,
      config.policy,
    ]);
  }

  #makeSlot(key: string, config: WasmPluginConfig, module: CompiledModule): VmSlot {
    const settings = {
      vmId: config.vmId,
      sharedId: `${config.version?.space ?? ""}${config.vmId}`,
      moduleName: codeName(config.code),
      firstPlugin: config.name,
      vmConfiguration: config.vmConfiguration,
      environment: config.environment,
      allowedCapabilities: config.allowedCapabilities,
      native: config.native ?? null,
      policy: config.policy,
    };
    const stats = this.#statsOf(config);
    const times = this.#timesOf(config);
    const services = this.#services;
    return new VmSlot(key, services, settings, module, this.#log, stats, times, this.#forget);
  }

  #timesOf(config: WasmPluginConfig): VmSlotTimes {
    const { clock, random } = this.#services;
    const { reloadBackoffBaseMs: baseMs, reloadBackoffMaxMs: maxMs } = config;
    return {
      reloads: new ReloadBackoff(clock, random, baseMs, maxMs),
      standbys: new ReloadBackoff(clock, random, baseMs, maxMs),
      standbyQueue: this.#standbyQueue,
    };
  }

  #statsOf(config: WasmPluginConfig): VmStats {
    const { stats } = this.#services;
    const runtime = config.runtime === "" ? RUNTIME_DEFAULT : config.runtime;
    return {
      created: stats.counter(`wasm.${runtime}.created`),
      active: stats.gauge(`wasm.${runtime}.active`),
      count: stats.gauge("wasm.wasm_vm_count"),
      reloadSuccess: stats.counter(`wasm.${config.name}.vm_reload_success`),
      reloadFailure: stats.counter(`wasm.${config.name}.vm_reload_failure`),
      crashLoop: stats.counter(`wasm.${config.name}.vm_crash_loop`),
      reloadAtOnce: stats.counter(`wasm.${config.name}.vm_reload_at_once`),
      reloadBackoff: stats.counter(`wasm.${config.name}.vm_reload_backoff`),
      standby: {
        ready: stats.gauge(`wasm.${config.name}.standby_ready`),
        made: stats.counter(`wasm.${config.name}.standby_made`),
        used: stats.counter(`wasm.${config.name}.standby_used`),
        failed: stats.counter(`wasm.${config.name}.standby_failed`),
      },
    };
  }
}
