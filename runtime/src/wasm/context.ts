// What hostcalls act on, a root or a stream context, with the answers of one that has nothing.
import { Status } from "proxy-wasm-types";
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { GuestCost } from "../core/guest-cost.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { setDynamicMetadata, type StreamInfo } from "../core/stream-info.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { DeclaredProperties } from "./declared-properties.ts";
import type { PluginIdentity } from "./plugin-identity.ts";
import type { RootContext } from "./root-context.ts";
import type { Vm } from "./vm.ts";

/** Kinds of what a guest asks for and gets after its callback has returned. */
export const DeferredKind = {
  ContinueRequest: 0,
  ContinueResponse: 1,
  Close: 2,
  LocalReply: 3,
  ClearRouteCache: 4,
  Done: 5,
  ContinueDownstream: 6,
} as const;
export type DeferredKind = (typeof DeferredKind)[keyof typeof DeferredKind];

export abstract class Context implements GuestCost {
  readonly vm: Vm;
  readonly plugin: PluginIdentity;
  /** The root context that owns this one, or itself. */
  readonly root: RootContext;
  /** Of the VM, never used twice; 0 = the guest does not know this context. */
  id: number = 0;
  /** The context table's own: next in the same slot. */
  nextInSlot: Context | null = null;
  /** What declare_property was told from here; null = nothing. */
  declaredProperties: DeclaredProperties | null = null;
  /** Request headers changed in the running callback of this context. */
  isRouteStale: boolean = false;

  // What callbacks of this context have cost.
  fuel: number = 0;
  timeNs: number = -1;
  hostcalls: number = 0;
  bytesCopied: number = 0;
  callouts: number = 0;
  nextCost: GuestCost | null = null;
  /** Its callbacks are timed, for so many streams; 0 = they are not. */
  timedFor: number = 0;

  /** `root` null: it is one itself. */
  constructor(vm: Vm, plugin: PluginIdentity, root: RootContext | null) {
    this.vm = vm;
    this.plugin = plugin;
    this.root = root ?? (this as unknown as RootContext);
  }

  get pluginVersion(): string {
    return this.plugin.version;
  }

  get pluginName(): string {
    return this.plugin.name;
  }

  /** The context waits for another stream. */
  protected resetCost(): void {
    this.fuel = 0;
    if (this.timedFor !== 0) this.timeNs = -1;
    this.hostcalls = 0;
    this.bytesCopied = 0;
    this.callouts = 0;
    this.nextCost = null;
  }

  /** Of a callback that has returned, or was stopped; `ns` is 0 when it was not timed. */
  noteCost(
    mark: number,
    fuel: number,
    ns: number,
    hostcalls: number,
    bytes: number,
    callouts: number,
  ): void {
    this.fuel += fuel;
    this.hostcalls += hostcalls;
    this.bytesCopied += bytes;
    this.callouts += callouts;
    const { timedFor } = this;
    if (timedFor !== 0) this.#noteTime(ns);
    this.plugin.counts.costs.add(mark, fuel, ns * timedFor, hostcalls, bytes, callouts);
  }

  #noteTime(ns: number): void {
    this.timeNs = Math.max(0, this.timeNs) + ns;
    if (this.root.owner !== null) this.plugin.counts.costs.setPages(this.vm.memory.pages);
  }

  /** What stands before its guest's messages. */
  get logPrefix(): string {
    return this.plugin.logPrefix;
  }

  /** A map as read by get_header_map_value and get_header_map_pairs; null = not there now. */
  readableMap(_mapType: number): HeaderMap | null {
    return null;
  }

  /** A map that may be changed now; null = none. */
  writableMap(_mapType: number): HeaderMap | null {
    return null;
  }

  /** A guest changed a map that writableMap gave. */
  onMapChanged(_mapType: number): void {}

  /** The bytes of a stream's buffer; null = not there now. */
  bodyOf(_bufferType: number): BufferQueue | null {
    return null;
  }

  /** A guest changed the size of a body that bodyOf gave. */
  onBodyResized(_bufferType: number): void {}

  /** on_log runs: an absent map is no error. */
  get isLogging(): boolean {
    return false;
  }

  /** Of the stream, or of the one that is logged; null = there is none. */
  get streamInfo(): StreamInfo | null {
    return null;
  }

  /**
   * Keeps a value with the stream, or with its connection for later streams. False = there is no
   * stream, or no connection.
   */
  setFilterState(key: string, value: Uint8Array, isConnections: boolean): boolean {
    const info = this.streamInfo;
    const holder = isConnections ? (info?.connection ?? null) : info;
    if (holder === null) return false;
    holder.filterState ??= new Map();
    holder.filterState.set(key, value);
    return true;
  }

  /** Puts a value of the stream's dynamic metadata; false = there is no stream. */
  setDynamicMetadata(namespace: string, key: string, value: string): boolean {
    const info = this.streamInfo;
    if (info === null) return false;
    setDynamicMetadata(info, namespace, key, value);
    return true;
  }

  /** How many values are kept with the stream, or with its connection. */
  filterStateSize(isConnections: boolean): number {
    const info = this.streamInfo;
    const holder = isConnections ? info?.connection : info;
    return holder?.filterState?.size ?? 0;
  }

  /** What is kept under that key: the stream's, else the connection's. */
  filterState(key: string): Uint8Array | undefined {
    const info = this.streamInfo;
    return info?.filterState?.get(key) ?? info?.connection?.filterState?.get(key);
  }

  /** For properties: the maps of the stream in whatever phase; null = not there (yet). */
  streamMap(_mapType: number): HeaderMap | null {
    return null;
  }

  /** Whether a local reply, a continue or a close means something here. */
  get hasStream(): boolean {
    return false;
  }

  /** From hostcalls: resumes after the callback. */
  continueStream(_isRequest: boolean): void {}

  closeStream(): void {}

  /** Of a TCP stream: bytes that were stopped go on. */
  continueDownstream(): void {}

  /** Of a TCP stream. */
  closeConnection(): void {}

  sendLocalReply(_reply: LocalReply): void {}

  clearRouteCache(): void {}

  /** The callback that set `isRouteStale` has returned. */
  flushRoute(): void {
    this.isRouteStale = false;
  }

  /** proxy_done. */
  done(): Status {
    return Status.NotFound;
  }

  /** The callback has returned: what it asked for is done now. */
  abstract runDeferred(kind: DeferredKind, reply: LocalReply | null): void;

  /** The guest is entered no more: what waits for its word would wait for ever. */
  onVmOver(): void {}
}
