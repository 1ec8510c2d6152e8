// A wasm plugin as a network filter of one connection: what the chain calls becomes callbacks of
// the guest (TCP context), and the guest's answers become what the chain understands.
import { BufferType, MapType, PeerType } from "proxy-wasm-types";
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { NetworkFilterStatus } from "../filter/network-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import { Context, DeferredKind } from "./context.ts";
import type { GuestFunction } from "./guest-exports.ts";
import type { StreamOwner } from "./http-filter.ts";
import type { RootContext } from "./root-context.ts";

const { Continue, StopIteration } = NetworkFilterStatus;

export class WasmNetworkFilter extends Context implements PassingNetworkFilter {
  readonly #callbacks: PassingFilterCallbacks;
  readonly #owner: StreamOwner;
  readonly #info: StreamInfo;
  /** What the guest may read and change now; null = nothing. */
  #downstreamData: BufferQueue | null = null;
  #upstreamData: BufferQueue | null = null;
  /** The guest knows the context. */
  #isCreated: boolean = false;
  #isUpstreamClosed: boolean = false;
  /** The upstream ended after the peer: with that both are over. */
  #isEndOurs: boolean = false;
  #isPeerEnded: boolean = false;
  #isLogging: boolean = false;
  #isOver: boolean = false;

  constructor(root: RootContext, callbacks: PassingFilterCallbacks, owner: StreamOwner) {
    super(root.vm, root.plugin, root);
    this.#callbacks = callbacks;
    this.#owner = owner;
    this.#info = new StreamInfo();
    this.#info.reset(callbacks.info, callbacks.info.connectionId, root.vm.services.clock.nowMs);
    this.timedFor = root.vm.sampler.choose();
    root.plugin.counts.onStream();
  }

  /** A connection has no headers; those of answers to calls are the plugin's, as in Envoy. */
  override readableMap(mapType: number): HeaderMap | null {
    return mapType <= MapType.HttpResponseTrailers ? null : this.root.readableMap(mapType);
  }

  // ---- PassingNetworkFilter.

  onNewConnection(): NetworkFilterStatus {
    const { vm } = this;
    if (vm.failure === null) {
      this.#isCreated = true;
      vm.contexts.add(this);
      const callback = vm.exports.onContextCreate;
      if (callback !== null) vm.call(this, callback, this.id, this.root.id, 0, 0, 0);
    }
    return this.#ask(vm.exports.onNewConnection, 0, false);
  }

  onData(data: BufferQueue, end: boolean): NetworkFilterStatus {
    this.#downstreamData = data;
    this.#isPeerEnded = end;
    const status = this.#ask(this.vm.exports.onDownstreamData, data.length, end);
    if (status === Continue) this.#downstreamData = null;
    return status;
  }

  onWrite(data: BufferQueue, end: boolean): NetworkFilterStatus {
    this.#upstreamData = data;
    const status = this.#ask(this.vm.exports.onUpstreamData, data.length, end);
    if (status === Continue) this.#upstreamData = null;
    // As in Envoy the end of what is written stands for the upstream's close, and comes last.
    if (end && !this.#isUpstreamClosed) {
      this.#isUpstreamClosed = true;
      this.#isEndOurs = this.#isPeerEnded;
      this.#tell(this.vm.exports.onUpstreamConnectionClose, PeerType.Unknown);
    }
    return status;
  }

  /** The close, then on_done, on_log and on_delete, in this order for TCP. */
  onClose(remote: boolean): void {
    const { vm } = this;
    const { onDownstreamConnectionClose, onDone, onLog, onDelete } = vm.exports;
    this.#downstreamData = null;
    this.#upstreamData = null;
    // As in Envoy: who has ended last has closed, unless the guest did.
    const isPeers = remote || (this.#isPeerEnded && !this.#isEndOurs && !this.#isOver);
    if (this.#isCreated) {
      const now = vm.services.clock.nowMs;
      this.#info.endMs = now;
      this.#isOver = true;
      this.#tell(onDownstreamConnectionClose, isPeers ? PeerType.Remote : PeerType.Local);
      // No stream waits for proxy_done: a false answer is ignored, as in Envoy.
      this.#tell(onDone, 0);
      this.#isLogging = true;
      this.#tell(onLog, 0);
      this.#isLogging = false;
      this.#tell(onDelete, 0);
      vm.contexts.remove(this);
      this.#isCreated = false;
    }
    this.plugin.counts.onStreamDone(vm.services.clock.nowMs - this.#info.startMs, 0);
    this.#owner.onStreamDestroyed(this.root);
  }

  // ---- Context.

  override get isLogging(): boolean {
    return this.#isLogging;
  }

  override get streamInfo(): StreamInfo | null {
    return this.#info;
  }

  override bodyOf(bufferType: number): BufferQueue | null {
    if (bufferType === BufferType.DownstreamData) return this.#downstreamData;
    return bufferType === BufferType.UpstreamData ? this.#upstreamData : null;
  }

  override continueDownstream(): void {
    if (!this.#isOver) this.vm.defer(this, DeferredKind.ContinueDownstream, null);
  }

  override closeConnection(): void {
    if (!this.#isOver) this.vm.defer(this, DeferredKind.Close, null);
  }

  override runDeferred(kind: DeferredKind): void {
    if (this.#isOver) return;
    if (kind === DeferredKind.Close) this.#close();
    else if (kind === DeferredKind.ContinueDownstream) this.#callbacks.continueReading();
  }

  // ---- Private parts.

  /** A callback that answers an action. */
  #ask(callback: GuestFunction | null, size: number, end: boolean): NetworkFilterStatus {
    const { vm } = this;
    if (vm.failure !== null) return this.#fail();
    if (callback === null || !this.#isCreated) return Continue;
    const answer = vm.call(this, callback, this.id, size, end ? 1 : 0, 0, 0);
    if (vm.failure !== null) return this.#fail();
    return answer === 0 && !this.#isOver ? Continue : StopIteration;
  }

  /** A callback whose answer does not count. */
  #tell(callback: GuestFunction | null, parameter: number): void {
    const { vm } = this;
    if (callback === null || vm.failure !== null || !this.#isCreated) return;
    vm.call(this, callback, this.id, parameter, 0, 0, 0);
  }

  /** A failed VM closes the connection, unless the deprecated `fail_open: true` lets it pass. */
  #fail(): NetworkFilterStatus {
    if (this.plugin.failOpenLegacy) return Continue;
    this.#close();
    return StopIteration;
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callbacks.closeAfterFlush(0);
  }
}
