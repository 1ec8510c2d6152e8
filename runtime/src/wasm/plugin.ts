// One configured plugin of this thread: makes filters and access loggers, follows its VM's fate.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import { FilterWants, type HttpFilter } from "../filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import { isSkippedWhenDead } from "./failure-policy.ts";
import { type HttpFilterOwner, type StreamOwner, WANTS_ALL } from "./http-filter.ts";
import { WasmHttpFilter, wantsOf } from "./http-filter.ts";
import { WasmNetworkFilter } from "./network-filter.ts";
import { PluginIdentity } from "./plugin-identity.ts";
import { RootContext, type RootOwner } from "./root-context.ts";
import type { VmSlot } from "./vm-slot.ts";
import type { Vm } from "./vm.ts";

/** Why a plugin could not be prepared. */
export class PluginError {
  readonly pluginName: string;
  /** One line each: what failed, then what the guest logged. */
  readonly reasons: readonly string[];

  constructor(pluginName: string, reasons: readonly string[]) {
    this.pluginName = pluginName;
    this.reasons = reasons;
  }
}

/**
 * Filters that wait for their next stream; of more streams at once they are made anew. A new object
 * is not only made: each store of it into the VM and its tables, which are old, goes through the
 * garbage collector's write barrier. 0.1 us of 1.05 for a filter and its stream.
 */
const FREE_FILTERS_MAX = 128;

/** Makes filters of a kind of its own. */
export interface HttpFilterMaker<F extends WasmHttpFilter> {
  /** `streams` is to be told when the filter's stream is over. */
  makeFilter(root: RootContext, wants: number, streams: StreamOwner): F;
}

/** Who drains is over by then, whatever its streams do, and whatever its guest waits for. */
class DrainTimer extends TimerEntry {
  readonly #plugin: Plugin;

  constructor(plugin: Plugin) {
    super();
    this.#plugin = plugin;
  }

  override onDeadline(): void {
    this.#plugin.onDrainTimeOver();
  }
}

export class Plugin implements HttpFilterOwner, RootOwner {
  readonly name: string;
  readonly config: WasmPluginConfig;
  readonly #identity: PluginIdentity;
  /** Where its VM is found. */
  readonly slot: VmSlot;
  readonly #onOver: (plugin: Plugin) => void;
  #root: RootContext | null = null;
  /** Streams that hold `#root`. Those of an older root need nothing from us. */
  #streams: number = 0;
  #wants: number = WANTS_ALL;
  #hasBegun: boolean = false;
  /** Of `#root`; the last one used is the first one taken. */
  #free: WasmHttpFilter[];
  readonly #drainTimer: DrainTimer;
  #isDraining: boolean = false;
  #isFinished: boolean = false;

  /** `onOver` comes once, when a plugin that drains or was closed has told its guest all. */
  constructor(
    config: WasmPluginConfig,
    slot: VmSlot,
    thread: number,
    onOver: (plugin: Plugin) => void,
  ) {
    this.name = config.name;
    this.config = config;
    this.#identity = new PluginIdentity(config, thread);
    this.slot = slot;
    this.#onOver = onOver;
    this.#free = [];
    this.#drainTimer = new DrainTimer(this);
  }

  /** What it counts, and its version's name. */
  get identity(): PluginIdentity {
    return this.#identity;
  }

  /** Starts and configures the plugin on a VM, and serves from it: the reason why not, or null. */
  startOn(vm: Vm): string | null {
    const root = this.startRoot(vm, !this.#hasBegun);
    if (typeof root === "string") return root;
    this.adopt(root);
    return null;
  }

  /** What it is part of is in force: from now on there are ticks and items of queues. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#root?.beginEvents();
  }

  /** A root context that is started and configured, or why not. One `isStandby` has no events. */
  startRoot(vm: Vm, isStandby: boolean): RootContext | string {
    const root = new RootContext(vm, this.#identity);
    if (isStandby) root.waitForEvents();
    const reason = root.start();
    if (reason === null) return root;
    root.stopEvents();
    return reason;
  }

  /** Serves from that root context, and no more from the one before. */
  adopt(root: RootContext): void {
    root.owner = this;
    this.#identity.counts.costs.setPages(root.vm.memory.pages);
    this.#root = root;
    this.#streams = 0;
    this.#free = [];
    this.#wants = this.#wantsOn(root);
    if (this.#hasBegun) root.beginEvents();
  }

  /** The filter of one stream; null = the stream goes without it, because its VM is dead. */
  createHttpFilter(): HttpFilter | null {
    const isAlive = this.slot.isAlive || this.slot.reloadWhenDue();
    const root = this.#root;
    if (root === null) return null;
    if (!isAlive && isSkippedWhenDead(this.config)) return null;
    this.#streams += 1;
    const free = isAlive ? this.#free.pop() : undefined;
    const filter = free ?? new WasmHttpFilter(root, isAlive ? this.#wants : WANTS_ALL, this);
    filter.begin();
    return filter;
  }

  /** The same of another kind, which serves one stream only; null = there is no VM that lives. */
  createFilterOf<F extends WasmHttpFilter>(maker: HttpFilterMaker<F>): F | null {
    const isAlive = this.slot.isAlive || this.slot.reloadWhenDue();
    const root = this.#root;
    if (root === null || !isAlive) return null;
    this.#streams += 1;
    const filter = maker.makeFilter(root, this.#wants, this);
    filter.begin();
    return filter;
  }

  onFilterFree(filter: WasmHttpFilter): void {
    const { failure, trace, observer } = filter.vm;
    const isCurrent = filter.root === this.#root && filter.wants === this.#wants;
    // Onlookers tell streams apart by their contexts.
    const isUsable = isCurrent && failure === null && trace === null && observer === null;
    if (isUsable && this.#free.length < FREE_FILTERS_MAX) this.#free.push(filter);
  }

  /** The filter of one connection; null = it goes without it, because its VM is dead. */
  createNetworkFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter | null {
    const isAlive = this.slot.isAlive || this.slot.reloadWhenDue();
    const root = this.#root;
    if (root === null || (!isAlive && isSkippedWhenDead(this.config))) return null;
    this.#streams += 1;
    return new WasmNetworkFilter(root, callbacks, this);
  }

  /** Its VM has other functions now: see Vm.setTraced. */
  onExportsChanged(): void {
    if (this.#root !== null) this.#wants = this.#wantsOn(this.#root);
    this.#free = [];
  }

  #wantsOn({ vm }: RootContext): number {
    const named = this.#identity.versionHeader === "" ? 0 : FilterWants.EncodeHeaders;
    return wantsOf(vm.exports) | named;
  }

  onStreamDestroyed(root: RootContext): void {
    if (root !== this.#root) return;
    this.#streams -= 1;
    if (this.#isDraining && this.#streams === 0) this.#finish();
  }

  /** No new streams come, but some are there. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Streams that are alive on the current root context. */
  get streams(): number {
    return this.#streams;
  }

  /** Logs finished streams through the plugin's root context. */
  createAccessLogger(): AccessLogger {
    return new PluginAccessLogger(this, this.slot);
  }

  /** The current root context, on whatever VM it is. */
  get root(): RootContext | null {
    return this.#root;
  }

  onRootOver(root: RootContext): void {
    if (root !== this.#root || !this.#isDraining) return;
    this.slot.services.timers.cancel(this.#drainTimer);
    this.#onOver(this);
  }

  /** A timer of it will come. */
  get awaitsDrain(): boolean {
    return this.#drainTimer.isScheduled;
  }

  /** The VM failed: nothing of the old root context happens any more. */
  onVmFailure(): void {
    this.#root?.stopEvents();
    this.slot.services.timers.cancel(this.#drainTimer);
    // Its last streams hold the dead VM, and a new one would be for nobody.
    if (this.#isDraining) this.#finish();
  }

  /** No new streams come: the guest is told on_done and on_delete when the last one is over. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { timers, clock, drainTimeMs } = this.slot.services;
    timers.schedule(this.#drainTimer, clock.nowMs + drainTimeMs);
    if (this.#streams === 0) this.#finish();
    else this.slot.onDraining();
  }

  /** Its streams, and a guest that answered false to on_done, have had their time. */
  onDrainTimeOver(): void {
    const root = this.#root;
    const streams = this.#isFinished ? 0 : this.#streams;
    const what = streams === 0 ? "its guest is not done" : `${streams} streams are left`;
    this.slot.noteDrainTimeOver(this, what);
    this.#isFinished = true;
    root?.finishNow();
    // What is left of its streams meets a dead VM, and its failure policy.
    this.slot.expire(this);
  }

  /** The guest is told now, whatever its streams do. */
  close(): void {
    this.#isDraining = true;
    this.#isFinished = true;
    this.slot.services.timers.cancel(this.#drainTimer);
    this.#root?.finishNow();
    this.slot.remove(this);
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#root?.finish();
    this.slot.remove(this);
  }
}

/** The root context changes with its VM, so it is asked for with every stream. */
class PluginAccessLogger implements AccessLogger {
  readonly #plugin: Plugin;
  readonly #slot: VmSlot;

  constructor(plugin: Plugin, slot: VmSlot) {
    this.#plugin = plugin;
    this.#slot = slot;
  }

  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    if (!this.#slot.isAlive) this.#slot.reloadWhenDue();
    this.#plugin.root?.log(info, requestHeaders, responseHeaders, responseTrailers);
  }
}
