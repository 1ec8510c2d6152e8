// Where plugins that share a VM find it: holds it, notes its failure, makes the next one.
import { LogLevel } from "../core/logger.ts";
import { versionName } from "../config/plugin-version.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { Counter, Gauge } from "../stats/store.ts";
import type { CompiledModule } from "./compiled-module.ts";
import { isReplacedWhenDead, type ReloadBackoff } from "./failure-policy.ts";
import type { GuestLog } from "./guest-log.ts";
import type { Plugin } from "./plugin.ts";
import type { RootContext } from "./root-context.ts";
import type { StandbyQueue } from "./standby-queue.ts";
import { SpareMemory } from "./spare-memory.ts";
import { type ReadyStandby, Standby, type StandbySlot, type StandbyStats } from "./standby.ts";
import { liveStartLimit, type StartLimit, startLimit } from "./start-limit.ts";
import type { TrapTeller } from "./trap-news.ts";
import type { GuestTrap } from "./trap-report.ts";
import { VmFailure } from "./vm-failure.ts";
import type { ThreadServices } from "./thread-services.ts";
import type { VmSettings } from "./vm-settings.ts";
import { Vm, type VmOwner } from "./vm.ts";

/** Of all VMs of a runtime. */
export interface VmStats {
  readonly created: Counter;
  readonly active: Gauge;
  /** The same, whatever the runtime is called. */
  readonly count: Gauge;
  readonly reloadSuccess: Counter;
  readonly reloadFailure: Counter;
  readonly reloadBackoff: Counter;
  /** First crashes, after which the next VM is made without delay. */
  readonly reloadAtOnce: Counter;
  /** Crashes of a VM that crashes again and again. */
  readonly crashLoop: Counter;
  readonly standby: StandbyStats;
}

/** When the slot's VMs and its standbys may be made. */
export interface VmSlotTimes {
  readonly reloads: ReloadBackoff;
  readonly standbys: ReloadBackoff;
  readonly standbyQueue: StandbyQueue;
}

/** Makes the next VM also when no stream asks for it: its ticks go on. */
class ReloadTimer extends TimerEntry {
  readonly #slot: VmSlot;

  constructor(slot: VmSlot) {
    super();
    this.#slot = slot;
  }

  override onDeadline(): void {
    this.#slot.onReloadDue();
  }
}

/**
 * States: alive -> dead (a trap) -> alive (a new VM on which all plugins started): in the same turn
 * when a standby waits and the back-off allows it. A VM that failed is never entered again; streams
 * that are on it end by its failure.
 */
export class VmSlot implements VmOwner, StandbySlot, TrapTeller {
  readonly key: string;
  readonly services: ThreadServices;
  readonly #settings: VmSettings;
  /** Of VMs behind the first, which start among streams. */
  #nextLimit: StartLimit;
  /** Milliseconds that the dearest start of a plugin has computed so far. */
  #startMs: number = 0;
  readonly #module: CompiledModule;
  readonly #log: GuestLog;
  readonly #stats: VmStats;
  readonly #backoff: ReloadBackoff;
  readonly #onEmpty: (slot: VmSlot) => void;
  readonly #plugins: Plugin[];
  #vm: Vm | null = null;
  readonly #reload: ReloadTimer;
  readonly #standby: Standby;
  readonly #spare: SpareMemory;

  constructor(
    key: string,
    services: ThreadServices,
    settings: VmSettings,
    module: CompiledModule,
    log: GuestLog,
    stats: VmStats,
    times: VmSlotTimes,
    onEmpty: (slot: VmSlot) => void,
  ) {
    this.key = key;
    this.services = services;
    this.#settings = settings;
    this.#nextLimit = startLimit(settings.policy);
    this.#module = module;
    this.#log = log;
    this.#stats = stats;
    this.#backoff = times.reloads;
    this.#onEmpty = onEmpty;
    this.#plugins = [];
    this.#reload = new ReloadTimer(this);
    this.#spare = new SpareMemory();
    const { standbyQueue, standbys } = times;
    const { standby } = settings.policy;
    this.#standby = new Standby(this, standby, standbyQueue, standbys, stats.standby, log);
  }

  get moduleName(): string {
    return this.#settings.moduleName;
  }

  /** Those that get new streams, in the order in which they start. */
  get plugins(): readonly Plugin[] {
    return this.#plugins.filter((plugin) => !plugin.isDraining);
  }

  /** The VM is dead, and a timer will bring the next one. */
  get awaitsReload(): boolean {
    return this.#reload.isScheduled;
  }

  get isAlive(): boolean {
    return this.#vm !== null && this.#vm.failure === null;
  }

  /**
   * Starts the plugin on the VM, which is made for the first one, within that limit. The reason why
   * not, or null.
   */
  add(plugin: Plugin, limit: StartLimit): string | null {
    const { clock } = this.services;
    const sinceMs = clock.threadMs();
    const vm = this.isAlive ? (this.#vm as Vm) : this.#make(limit);
    if (vm.failure !== null) return vm.failure.summary;
    if (this.#isTraced(plugin.name) && vm.trace === null) this.#trace(vm, true);
    // A plugin that comes to a VM that has replaced another one has not started here before.
    vm.startLimit = limit;
    const reason = plugin.startOn(vm);
    if (reason !== null) return reason;
    this.#noteStart(clock.threadMs() - sinceMs);
    this.#setVm(vm);
    this.#plugins.push(plugin);
    this.#renewStandby();
    return null;
  }

  /** A VM that replaces another one starts among streams: it may hold them up less. */
  #noteStart(ms: number): void {
    this.#startMs = Math.max(this.#startMs, ms);
    const measured = { computedMs: this.#startMs, isWhole: true };
    this.#nextLimit = liveStartLimit(this.#settings.policy, measured);
  }

  /** The plugin is over. */
  remove(plugin: Plugin): void {
    const at = this.#plugins.indexOf(plugin);
    if (at >= 0) this.#plugins.splice(at, 1);
    if (this.#plugins.length > 0) return;
    this.#standby.drop();
    this.services.timers.cancel(this.#reload);
    this.#setVm(null);
    this.#onEmpty(this);
  }

  /** The switch was turned; a standby that waits follows when it serves. */
  onTracesChanged(): void {
    if (this.#vm !== null)
      this.#trace(
        this.#vm,
        this.#plugins.some(({ name }) => this.#isTraced(name)),
      );
  }

  #isTraced(plugin: string): boolean {
    return this.services.traces.ruleOf(plugin, this.#settings.policy) !== null;
  }

  #trace(vm: Vm, isTraced: boolean): void {
    vm.setTraced(isTraced);
    for (const plugin of this.#plugins) plugin.onExportsChanged();
  }

  /** A plugin that drains has told its guest all; nobody else is on its VM any more. */
  expire(plugin: Plugin): void {
    const vm = this.#vm;
    this.remove(plugin);
    if (vm === null || vm.failure !== null || this.#plugins.length > 0) return;
    vm.failure = new VmFailure("its drain time is over", "host");
    vm.release();
    for (const context of vm.contexts.all()) context.onVmOver();
  }

  noteDrainTimeOver(plugin: Plugin, what: string): void {
    this.services.stats.counter(`wasm.${plugin.name}.drain_time_over`).inc();
    const { name, identity } = plugin;
    const text = `the drain time of plugin ${name}, version ${identity.version}, is over: ${what}`;
    this.#log.host(LogLevel.Warning, `wasm ${text}`);
  }

  /** One of the plugins gets no new streams any more, and so needs no standby. */
  onDraining(): void {
    this.#renewStandby();
  }

  /**
   * Replaces a dead VM when one of its plugins wants that and enough time has passed since the last
   * one was made; whether the VM is alive now. Runs the guests' start: called for a new stream, and
   * by the timer when none comes.
   */
  reloadWhenDue(): boolean {
    if (!this.#isReplaced) return false;
    if (!this.#backoff.isDue) {
      this.#stats.reloadBackoff.inc();
      return false;
    }
    const standby = this.#standby.take();
    if (standby === null) return this.#reloadNow();
    this.#takeOver(standby);
    return true;
  }

  /** Only fields are set, nothing of the guest runs: this may be inside the call that failed. */
  #takeOver({ vm, roots, lines }: ReadyStandby): void {
    this.#backoff.onMade();
    this.#stats.created.inc();
    vm.owner = this;
    this.#setVm(vm);
    this.#log.writeHeld(lines);
    // The standby is made anew when a plugin comes or drains, so it has them all.
    for (const plugin of this.plugins) plugin.adopt(roots.get(plugin) as RootContext);
    this.onTracesChanged();
    this.#onReloaded();
  }

  #reloadNow(): boolean {
    const vm = this.#make(this.#nextLimit);
    let reason = vm.failure?.summary ?? null;
    for (const plugin of this.plugins) {
      if (reason === null) reason = plugin.startOn(vm);
    }
    this.#setVm(vm);
    if (reason === null) {
      this.#onReloaded();
      return true;
    }
    // What did not start may not serve: the next try comes with a VM of its own.
    if (vm.failure === null) {
      vm.failure = new VmFailure(reason, "host");
      this.#waitForReload();
    }
    this.#stats.reloadFailure.inc();
    this.#log.host(
      LogLevel.Error,
      `wasm vm could not be started again: ${reason}, module ${this.#settings.moduleName}`,
    );
    return false;
  }

  #onReloaded(): void {
    this.#stats.reloadSuccess.inc();
    this.services.timers.cancel(this.#reload);
    this.#renewStandby();
  }

  /** Policies under which a dead VM stays dead have no use for one. */
  #renewStandby(): void {
    if (this.#isReplaced) this.#standby.renew();
    else this.#standby.drop();
  }

  get #isReplaced(): boolean {
    return this.plugins.some((plugin) => isReplacedWhenDead(plugin.config));
  }

  /** From the timer. */
  onReloadDue(): void {
    if (!this.isAlive && this.#backoff.isDue) this.reloadWhenDue();
  }

  #waitForReload(): void {
    this.#backoff.onFailure();
    if (!this.#isReplaced) return;
    const { timers } = this.services;
    timers.schedule(this.#reload, this.#backoff.notBeforeMs);
    if (this.#backoff.isFirst) this.#stats.reloadAtOnce.inc();
    if (!this.#backoff.isLooping) return;
    this.#stats.crashLoop.inc();
    const seconds = Math.round((this.#backoff.notBeforeMs - this.services.clock.nowMs) / 1000);
    const what = `wasm vm of plugin ${this.#plugins[0]?.name ?? ""} crashes again and again`;
    this.#log.host(LogLevel.Error, `${what}: next try in ${seconds} s`);
  }

  onVmFailure(vm: Vm, failure: VmFailure): void {
    this.#waitForReload();
    const plugin = failure.place?.plugin || (this.#plugins[0]?.name ?? this.#settings.vmId);
    this.services.stats.counter(`wasm.${plugin}.stopped.${failure.stop}`).inc();
    this.services.news.add(this, vm, failure, plugin);
    this.#spare.put(vm.memory.detach(), this.#module.memoryImport);
    // A copy: those that drain are over now, and leave.
    for (const plugin of this.#plugins.slice()) plugin.onVmFailure();
    if (this.#standby.isReady && this.#backoff.isDue) this.reloadWhenDue();
  }

  tellOf(vm: Vm, failure: VmFailure, plugin: string): void {
    const text = failure.describe(this.#settings.moduleName);
    this.#log.host(LogLevel.Error, `wasm vm failed: ${text}`);
    this.services.onTrap?.(this.#trapOf(vm, failure, plugin));
  }

  #trapOf(vm: Vm, failure: VmFailure, plugin: string): GuestTrap {
    const { place, stop, reason, frames } = failure;
    const { moduleName, policy } = this.#settings;
    return {
      plugin,
      version: place?.version || versionName(this.#module.sha256, null),
      moduleKey: this.#module.key,
      moduleName,
      debugFile: policy.debugFile,
      stop,
      reason,
      callback: place?.callback ?? "",
      contextId: place?.contextId ?? 0,
      stream: place?.stream ?? null,
      fuelUsed: place?.fuelUsed ?? null,
      fuelBudget: place?.budget ?? 0,
      computedMs: place?.computedMs ?? 0,
      pages: place?.pages ?? 0,
      pagesMax: policy.memoryPagesMax,
      lastWords: vm.lastWords.text,
      frames,
    };
  }

  onOutwardCall(name: string): boolean {
    this.#standby.noteOutwardCall(name);
    return this.services.onOutwardCall(name);
  }

  /** For the standby: not counted before it serves. */
  makeVm(owner: VmOwner, limit: StartLimit = this.#nextLimit): Vm {
    const { services } = this;
    return new Vm(services, this.#settings, this.#module, this.#log, owner, this.#spare, limit);
  }

  #make(limit: StartLimit): Vm {
    this.#backoff.onMade();
    this.#stats.created.inc();
    return this.makeVm(this, limit);
  }

  #setVm(vm: Vm | null): void {
    if (this.#vm === vm) return;
    const { active, count } = this.#stats;
    if (this.#vm === null) {
      active.inc();
      count.inc();
    }
    this.#vm?.release();
    if (vm === null) {
      active.dec();
      count.dec();
    }
    this.#vm = vm;
  }
}
