// The root context of one plugin on one VM: start, configuration, ticks, callouts, logs, end.
import { MapType, Status } from "proxy-wasm-types";
import { LogLevel } from "../core/logger.ts";
import type { Counter } from "../stats/store.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { Callouts, CalloutTap, HttpCallRequest } from "./callout.ts";
import { Context, DeferredKind } from "./context.ts";
import { GrpcCalls } from "./grpc-calls.ts";
import type { GuestFunction } from "./guest-exports.ts";
import { PendingHttpCall } from "./pending-http-call.ts";
import type { PluginIdentity } from "./plugin-identity.ts";
import { QueueNotice, TickTimer } from "./root-timers.ts";
import type { QueueConsumer } from "./shared-space.ts";
import type { Vm } from "./vm.ts";

/**
 * States: new -> started -> draining (on_done answered false, waits for proxy_done) -> deleted. A
 * failed VM ends all of them: nothing is called any more.
 */
const Life = { New: 0, Started: 1, Draining: 2, Deleted: 3 } as const;

/** What the host does for a call, in nanoseconds. */
const CALLOUT_FUEL = 20_000;

/** Whose root context it is. */
export interface RootOwner {
  /** The guest has been told on_delete, or is dead: nothing happens any more. */
  onRootOver(root: RootContext): void;
}

interface WaitingEvents {
  tickPeriodMs: number;
  /** Names of queues, which are limited in number for all guests together. */
  readonly queues: Set<string>;
}

export class RootContext extends Context implements AccessLogger, QueueConsumer {
  owner: RootOwner | null = null;
  /** on_configure runs: the plugin's configuration can be read. */
  isConfiguring: boolean = false;
  /** Body of the callout's answer that is being told; null = none. */
  calloutBody: Buffer | null = null;
  /** For proxy_get_status. */
  calloutStatus: number = 0;
  calloutMessage: string = "";
  /** Arguments of a foreign function that the host calls; null = none. */
  foreignArguments: Uint8Array | null = null;
  /** Who sees its HTTP calls; null = nobody. */
  calloutTap: CalloutTap | null = null;
  #calloutHeaders: HeaderMap | null = null;
  #calloutTrailers: HeaderMap | null = null;
  /** Of this root and its streams. */
  readonly fuelUsed: Counter;
  #isHighUseTold: boolean = false;
  #isBrokenLengthTold: boolean = false;
  readonly grpc: GrpcCalls;
  readonly #calls: Map<number, PendingHttpCall>;
  readonly #tick: TickTimer;
  readonly #queueNotice: QueueNotice;
  #life: number = Life.New;
  #hasQueues: boolean = false;
  /** Of a standby: begins when it takes over. */
  #waiting: WaitingEvents | null = null;
  #isLogging: boolean = false;
  #logInfo: StreamInfo | null = null;
  #logRequestHeaders: HeaderMap | null = null;
  #logResponseHeaders: HeaderMap | null = null;
  #logResponseTrailers: HeaderMap | null = null;

  constructor(vm: Vm, plugin: PluginIdentity) {
    super(vm, plugin, null);
    this.fuelUsed = vm.services.stats.counter(`wasm.${plugin.name}.fuel_used`);
    this.timedFor = vm.settings.policy.timeEvery === 0 ? 0 : 1;
    this.grpc = new GrpcCalls(this);
    this.#calls = new Map();
    this.#tick = new TickTimer(this);
    this.#queueNotice = new QueueNotice(this);
  }

  override get logPrefix(): string {
    return this.plugin.rootLogPrefix;
  }

  override get isLogging(): boolean {
    return this.#isLogging;
  }

  override get streamInfo(): StreamInfo | null {
    return this.#logInfo;
  }

  /** Creates, starts and configures the context in the guest; the reason when that was refused. */
  start(): string | null {
    const { vm } = this;
    const { onContextCreate, onVmStart, onConfigure } = vm.exports;
    vm.contexts.add(this);
    this.#life = Life.Started;
    vm.setConfiguring(true);
    const reason = this.#configure(onContextCreate, onVmStart, onConfigure);
    vm.setConfiguring(false);
    return reason;
  }

  #configure(
    onContextCreate: GuestFunction | null,
    onVmStart: GuestFunction | null,
    onConfigure: GuestFunction | null,
  ): string | null {
    const { vm } = this;
    if (onContextCreate !== null) vm.call(this, onContextCreate, this.id, 0, 0, 0, 0);
    if (vm.failure === null && onVmStart !== null) {
      const size = vm.settings.vmConfiguration.length;
      const answer = vm.call(this, onVmStart, this.id, size, 0, 0, 0);
      if (vm.failure === null && answer === 0) return "proxy_on_vm_start answered false";
    }
    if (vm.failure === null && onConfigure !== null) {
      const size = this.plugin.configuration.length;
      this.isConfiguring = true;
      const answer = vm.call(this, onConfigure, this.id, size, 0, 0, 0);
      this.isConfiguring = false;
      if (vm.failure === null && answer === 0) return "proxy_on_configure answered false";
    }
    return vm.failure === null ? null : vm.failure.summary;
  }

  /** More than half of a budget went in one callback: it may not be enough one day. */
  noteHighUse(used: number, budget: number): void {
    const { services, log } = this.vm;
    const counter = `wasm.${this.plugin.name}.fuel_high`;
    services.stats.counter(counter).inc();
    if (this.#isHighUseTold) return;
    this.#isHighUseTold = true;
    const what = `a callback of plugin ${this.plugin.name} used ${used} of ${budget} fuel`;
    log.host(LogLevel.Warning, `wasm ${what}; later ones are counted in ${counter}`);
  }

  /** A guest changed the size of a body whose content-length is out of its reach. */
  noteBrokenLength(): void {
    const { services, log } = this.vm;
    const counter = `wasm.${this.plugin.name}.body_length_broken`;
    services.stats.counter(counter).inc();
    if (this.#isBrokenLengthTold) return;
    this.#isBrokenLengthTold = true;
    const what = `plugin ${this.plugin.name} changed the size of a body after its content-length`;
    const effect = "what is too much is cut, and the connection ends with the message";
    log.host(LogLevel.Warning, `wasm ${what}: ${effect}; later ones are counted in ${counter}`);
  }

  /** Tells the guest that the plugin goes; its streams are over. */
  finish(): void {
    const { vm } = this;
    if (this.#life !== Life.Started) return;
    if (vm.failure === null && vm.exports.onDone !== null) {
      const answer = vm.call(this, vm.exports.onDone, this.id, 0, 0, 0, 0);
      if (vm.failure === null && answer === 0) {
        this.#life = Life.Draining;
        return;
      }
    }
    this.#delete();
  }

  /** No waiting for a guest that answered false to on_done. */
  finishNow(): void {
    this.finish();
    this.#delete();
  }

  override done(): Status {
    if (this.#life !== Life.Draining) return Status.NotFound;
    this.vm.defer(this, DeferredKind.Done, null);
    return Status.Ok;
  }

  override runDeferred(kind: DeferredKind, _reply: LocalReply | null): void {
    if (kind === DeferredKind.Done) this.#delete();
  }

  #delete(): void {
    if (this.#life === Life.Deleted) return;
    this.#life = Life.Deleted;
    this.stopEvents();
    const { vm } = this;
    if (vm.failure === null && vm.exports.onDelete !== null) {
      vm.call(this, vm.exports.onDelete, this.id, 0, 0, 0, 0);
    }
    vm.contexts.remove(this);
    this.owner?.onRootOver(this);
  }

  /** Before its start: ticks and items of queues do not come until it takes over. */
  waitForEvents(): void {
    this.#waiting = { tickPeriodMs: 0, queues: new Set() };
  }

  /** What waitForEvents holds up begins now. */
  beginEvents(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    if (waiting.tickPeriodMs > 0) this.setTickPeriod(waiting.tickPeriodMs);
    for (const name of waiting.queues) this.registerQueue(name);
  }

  /** Nothing more comes from timers, queues and callouts; also when the VM failed. */
  stopEvents(): void {
    const { timers } = this.vm.services;
    this.#tick.setPeriod(timers, 0);
    timers.cancel(this.#queueNotice);
    this.#leaveQueues();
    for (const call of this.#calls.values()) {
      call.cancel();
      this.#forgetCall(call);
    }
    this.#calls.clear();
    this.grpc.cancelAll();
  }

  /** Whoever consumes them now, or next, is told of items that the guest was not told of. */
  #leaveQueues(): void {
    if (!this.#hasQueues) return;
    const { shared } = this.vm.services;
    shared.forgetConsumer(this);
    for (const token of this.#queueNotice.takeTokens()) shared.tell(token);
  }

  // ---- Ticks and queues.

  setTickPeriod(periodMs: number): void {
    if (this.#life === Life.Deleted) return;
    if (this.#waiting !== null) this.#waiting.tickPeriodMs = periodMs;
    else this.#tick.setPeriod(this.vm.services.timers, periodMs);
  }

  /** From the timer. */
  onTick(): void {
    const { vm } = this;
    if (vm.failure !== null || vm.exports.onTick === null) return;
    vm.call(this, vm.exports.onTick, this.id, 0, 0, 0, 0);
  }

  /** The queue's token; 0 when there is no room. */
  registerQueue(name: string): number {
    const { shared } = this.vm.services;
    const { sharedId } = this.vm.settings;
    if (this.#waiting !== null) {
      const token = shared.registerQueue(sharedId, name, null);
      if (token !== 0) this.#waiting.queues.add(name);
      return token;
    }
    this.#hasQueues = true;
    return shared.registerQueue(sharedId, name, this);
  }

  /** An item came into a queue that this context registered: told when no guest runs. */
  onQueueItem(token: number): void {
    if (this.#life === Life.Deleted) return;
    this.#queueNotice.add(this.vm.services.timers, token);
  }

  tellQueueReady(token: number): void {
    const { vm } = this;
    if (vm.failure !== null || vm.exports.onQueueReady === null) return;
    vm.call(this, vm.exports.onQueueReady, this.id, token, 0, 0, 0);
  }

  // ---- Callouts.

  /** The call's token, or minus the status that says why there is none. */
  startHttpCall(callouts: Callouts, request: HttpCallRequest): number {
    if (this.#life === Life.Deleted) return -Status.InternalFailure;
    const bytes = request.body.length;
    // Also for one that is refused: its headers were read.
    this.vm.charge(CALLOUT_FUEL);
    if (!this.#mayCall(bytes)) return -Status.InternalFailure;
    const token = this.vm.nextCallToken();
    const pending = new PendingHttpCall(this, token, bytes);
    this.calloutTap?.onHttpCall(token, request);
    const started = callouts.httpCall(request, pending);
    if (typeof started === "number") {
      this.calloutTap?.onHttpCallRefused(token, started);
      return -started;
    }
    pending.call = started;
    this.#calls.set(token, pending);
    this.vm.callouts += 1;
    this.vm.limits.calloutsPending += 1;
    this.vm.limits.calloutBytes += bytes;
    return token;
  }

  #mayCall(bytes: number): boolean {
    const { limits } = this.vm;
    const { plugin } = this;
    if (!limits.allows("calloutsPending", limits.calloutsPending + 1, plugin)) return false;
    return limits.allows("calloutBytes", limits.calloutBytes + bytes, plugin);
  }

  #forgetCall(call: PendingHttpCall): void {
    this.vm.limits.calloutsPending -= 1;
    this.vm.limits.calloutBytes -= call.bytes;
  }

  /** From a pending call: `headers` null = it was reset. */
  tellHttpCallResponse(
    token: number,
    headers: HeaderMap | null,
    body: Buffer | null,
    trailers: HeaderMap | null,
  ): void {
    const { vm } = this;
    const call = this.#calls.get(token);
    if (call === undefined) return;
    this.#calls.delete(token);
    this.#forgetCall(call);
    const callback = vm.exports.onHttpCallResponse;
    if (vm.failure !== null || callback === null) return;
    this.#calloutHeaders = headers;
    this.#calloutTrailers = trailers;
    this.calloutBody = body;
    this.calloutStatus = headers === null ? Status.BrokenConnection : 0;
    this.calloutMessage = headers === null ? "reset" : "";
    const headerCount = headers?.size ?? 0;
    const trailerCount = trailers?.size ?? 0;
    const { calloutTap } = this;
    calloutTap?.beforeAnswer(token);
    vm.call(this, callback, this.id, token, headerCount, body?.length ?? 0, trailerCount);
    this.#calloutHeaders = null;
    this.#calloutTrailers = null;
    this.calloutBody = null;
    this.calloutStatus = 0;
    this.calloutMessage = "";
    calloutTap?.afterAnswer(token, headers, body, trailers);
  }

  // ---- Access log.

  /** A finished stream, for a wasm access logger. */
  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    const { vm } = this;
    const callback = vm.exports.onLog;
    if (vm.failure !== null || callback === null || this.#life === Life.Deleted) return;
    this.#isLogging = true;
    this.#logInfo = info;
    this.#logRequestHeaders = requestHeaders;
    this.#logResponseHeaders = responseHeaders;
    this.#logResponseTrailers = responseTrailers;
    vm.call(this, callback, this.id, 0, 0, 0, 0);
    this.#isLogging = false;
    this.#logInfo = null;
    this.#logRequestHeaders = null;
    this.#logResponseHeaders = null;
    this.#logResponseTrailers = null;
  }

  override readableMap(mapType: number): HeaderMap | null {
    switch (mapType) {
      case MapType.HttpCallResponseHeaders:
        return this.#calloutHeaders;
      case MapType.HttpCallResponseTrailers:
        return this.#calloutTrailers;
      case MapType.GrpcCallInitialMetadata:
        return this.grpc.initialMetadata;
      case MapType.GrpcCallTrailingMetadata:
        return this.grpc.trailingMetadata;
      default:
        return this.streamMap(mapType);
    }
  }

  override streamMap(mapType: number): HeaderMap | null {
    switch (mapType) {
      case MapType.HttpRequestHeaders:
        return this.#logRequestHeaders;
      case MapType.HttpResponseHeaders:
        return this.#logResponseHeaders;
      case MapType.HttpResponseTrailers:
        return this.#logResponseTrailers;
      default:
        return null;
    }
  }
}
