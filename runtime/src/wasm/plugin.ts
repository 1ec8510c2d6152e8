// One configured plugin of this thread: makes filters and access loggers, follows its VM's fate.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { HttpFilter } from "../filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import { isSkippedWhenDead } from "./failure-policy.ts";
import { type StreamOwner, WANTS_ALL, WasmHttpFilter, wantsOf } from "./http-filter.ts";
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

export class Plugin implements StreamOwner, RootOwner {
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
  #isDraining: boolean = false;

  /** `onOver` comes once, when a plugin that drains or was closed has told its guest all. */
  constructor(config: WasmPluginConfig, slot: VmSlot, onOver: (plugin: Plugin) => void) {
    this.name = config.name;
    this.config = config;
    this.#identity = new PluginIdentity(config);
    this.slot = slot;
    this.#onOver = onOver;
  }

  /** Root contexts and configures the plugin on a VM: the reason why not, or null. */
  startOn(vm: Vm): string | null {
    const root = new RootContext(vm, this.#identity);
    const reason = root.start();
    if (reason !== null) {
      root.stopEvents();
      return reason;
    }
    root.owner = this;
    this.#root = root;
    this.#streams = 0;
    this.#wants = wantsOf(vm.exports);
    return null;
  }

  /** The filter of one stream; null = the stream goes without it, because its VM is dead. */
  createHttpFilter(): HttpFilter | null {
    const isAlive = this.slot.isAlive || this.slot.reloadWhenDue();
    const root = this.#root;
    if (root === null) return null;
    if (!isAlive && isSkippedWhenDead(this.config)) return null;
    this.#streams += 1;
    return new WasmHttpFilter(root, isAlive ? this.#wants : WANTS_ALL, this);
  }

  /** The filter of one connection; null = it goes without it, because its VM is dead. */
  createNetworkFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter | null {
    const isAlive = this.slot.isAlive || this.slot.reloadWhenDue();
    const root = this.#root;
    if (root === null || (!isAlive && isSkippedWhenDead(this.config))) return null;
    this.#streams += 1;
    return new WasmNetworkFilter(root, callbacks, this);
  }

  onStreamDestroyed(root: RootContext): void {
    if (root !== this.#root) return;
    this.#streams -= 1;
    if (this.#isDraining && this.#streams === 0) this.#finish();
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
    if (root === this.#root && this.#isDraining) this.#onOver(this);
  }

  /** The VM failed: nothing of the old root context happens any more. */
  onVmFailure(): void {
    this.#root?.stopEvents();
  }

  /** No new streams come: the guest is told on_done and on_delete when the last one is over. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    if (this.#streams === 0) this.#finish();
  }

  /** The guest is told now, whatever its streams do. */
  close(): void {
    this.#isDraining = true;
    this.#root?.finishNow();
    this.slot.remove(this);
  }

  #finish(): void {
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
